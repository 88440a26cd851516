import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { PolicyStore } from "@sallyport/agent/policy/policy-store.ts";
import { takeRevocations } from "@sallyport/agent/policy/take-revocations.ts";
import type { Bundle } from "@sallyport/core/policy/bundle.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { chainRevocation } from "@sallyport/core/policy/revocation-chain.ts";
import { signDocument } from "@sallyport/core/policy/signed-document.ts";
import { HOUR, id, makeBundle, makeRevocation, NOW } from "../../core/policy/scenario.ts";
import { makeSmallSpool } from "../../uplink/spool/spool.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const HOST = id("hst", "1");
const key = generateKeyPairSync("ed25519");
const jwk = { ...key.publicKey.export({ format: "jwk" }), kid: "p1" } as never;

const member = (sequence: number) => `mem_${String(sequence).padStart(26, "0")}`;
const entry = (sequence: number, changes: Partial<Revocation> = {}): Revocation => ({
  ...makeRevocation("member", member(sequence), sequence),
  ...({ id: `rev_${String(sequence).padStart(26, "0")}`, at: NOW - 1000 + sequence } as Partial<Revocation>),
  ...changes,
});
const chainOf = (entries: readonly Revocation[]) => entries.reduce(chainRevocation, "");
const names = (entries: readonly Revocation[]) => ({
  revocationSequence: entries.length,
  revocationChain: chainOf(entries),
});
const message = (entries: readonly Revocation[], after = 0, to = entries.length) => ({
  ...{ type: "revocations" as const, after, sequence: entries.length },
  entries: entries.slice(after, to),
});

describe("a lease and the list that it names", () => {
  const directory = temporaryDirectory();
  const open = () => new PolicyStore(directory.file("bundle.jws"), HOST, [jwk]);
  const reopen = async () => {
    const store = open();
    await store.load();
    return store;
  };
  const bundle = (changes: Partial<Bundle> = {}) =>
    signDocument({ ...makeBundle(), ...changes }, "sallyport-bundle", "p1", key.privateKey);
  const lease = (changes: Record<string, unknown> = {}) =>
    signDocument(
      {
        ...{ v: 1, hostId: HOST, bundleVersion: 7, revocationSequence: 0, revocationChain: "" },
        ...{ issuedAt: NOW + 10, leaseUntil: NOW + 2 * HOUR, ...changes },
      },
      "sallyport-lease",
      "p1",
      key.privateKey,
    );
  const isRevoked = (store: PolicyStore, sequence: number, signedInAt = NOW) =>
    store.revocations.find({
      ...{ issuer: "", subject: "", vendors: [], signedInAt, certificateSerial: "", keyFingerprint: "" },
      ...{ engagementId: "", memberId: member(sequence) },
    }) !== undefined;
  const revoked = (store: PolicyStore, upTo: number) =>
    Array.from({ length: upTo }, (_, index) => index + 1).filter((sequence) => isRevoked(store, sequence));
  const three = [entry(1), entry(2), entry(3)];

  it("counts where the list is the same, after a restart too", async () => {
    const store = open();
    takeRevocations(store.list, message(three));
    await store.accept(await bundle(names(three)));
    assert.deepEqual([store.leaseUntil, store.aside], [NOW + HOUR, null]);
    await store.renew(await lease(names(three)));
    for (const one of [store, await reopen()])
      assert.deepEqual([one.leaseUntil, one.aside, revoked(one, 3)], [NOW + 2 * HOUR, null, [1, 2, 3]]);
  });

  it("counts where the list here is longer", async () => {
    const store = open();
    takeRevocations(store.list, message(three));
    await store.accept(await bundle(names(three.slice(0, 2))));
    assert.equal(store.leaseUntil, NOW + HOUR);
    assert.equal((await reopen()).leaseUntil, NOW + HOUR);
  });

  for (const [what, standing, theirs] of [
    ["entries are missing here", "behind", three],
    ["it is another list", "differs", [entry(1), entry(5)]],
  ] as const) {
    it(`does not count where ${what}, but the bundle's engagements are in force at once`, async () => {
      const store = open();
      takeRevocations(store.list, message([entry(1), entry(2)]));
      await store.accept(await bundle({ ...names(theirs), version: 8, engagements: [] }));
      await store.renew(await lease({ ...names(theirs), bundleVersion: 8 }));
      for (const one of [store, await reopen()])
        assert.deepEqual([one.leaseUntil, one.bundle?.version, one.bundle?.engagements], [0, 8, []]);
      assert.deepEqual(store.aside, { sequence: theirs.length, standing });
    });
  }

  it("counts once what was missing is here, and is on the disk from then on", async () => {
    const store = open();
    await store.accept(await bundle(names(three)));
    await store.renew(await lease(names(three)));
    takeRevocations(store.list, message(three, 0, 2));
    store.settle();
    assert.equal(store.leaseUntil, 0);
    takeRevocations(store.list, message(three, 2));
    store.settle();
    for (const one of [store, await reopen()]) assert.equal(one.leaseUntil, NOW + 2 * HOUR);
  });

  it("of before that still holds goes on, though a newer one is put aside", async () => {
    const store = open();
    await store.accept(await bundle({ revocationChain: "" }));
    await store.renew(await lease());
    await store.renew(await lease({ ...names(three), leaseUntil: NOW + 3 * HOUR }));
    for (const one of [store, await reopen()]) assert.equal(one.leaseUntil, NOW + 2 * HOUR);
  });

  it("without a list in it is of an older time, where the bundle names one", async () => {
    const store = open();
    await store.accept(await bundle({ revocationChain: "" }));
    const { revocationChain: _, ...older } = { revocationChain: "", revocationSequence: 0 };
    await store.renew(await lease({ ...older, revocationChain: undefined, leaseUntil: NOW + 9 * HOUR }));
    assert.equal(store.leaseUntil, NOW + HOUR);
  });

  it("gives access back that the link alone could not", async () => {
    const store = open();
    const lifted = [...three, entry(4, { target: member(2), before: NOW - 500 })];
    takeRevocations(store.list, message(three));
    await store.accept(await bundle(names(three)));
    takeRevocations(store.list, message(lifted, 3));
    store.settle();
    assert.deepEqual(
      [revoked(store, 3), revoked(await reopen(), 3)],
      [
        [1, 2, 3],
        [1, 2, 3],
      ],
    );
    await store.renew(await lease(names(lifted)));
    for (const one of [store, await reopen()]) {
      assert.deepEqual(revoked(one, 3), [1, 3]);
      assert.ok(isRevoked(one, 2, NOW - 501));
    }
  });

  it("of a list that ends before them drops nothing of a whole list's predecessor", async () => {
    const store = open();
    takeRevocations(store.list, message(three));
    await store.accept(await bundle({ ...names(three), issuedAt: NOW - 900 }));
    const old = await lease({ ...names(three.slice(0, 2)), issuedAt: NOW - 998 });
    // Somebody on the link sends the list as it was before the third, and the lease of then.
    takeRevocations(store.list, message(three.slice(0, 2)));
    await store.renew(old);
    const again = open();
    await assert.rejects(again.load(), { code: "bundle-older" }, "it knows that its list was longer");
    for (const one of [store, again]) assert.deepEqual(revoked(one, 3), [1, 2, 3]);
    await store.renew(await lease(names(three)));
    assert.deepEqual(store.aside, { sequence: 3, standing: "behind" });
  });

  describe("on a host of before lists were kept apart", () => {
    const older = async () => {
      const store = open();
      await store.accept(await bundle({ revocations: three.slice(0, 2), revocationSequence: 2 }));
      store.revoke(entry(3));
    };

    it("keeps in force what was, and begins at number 0", async () => {
      await older();
      const store = await reopen();
      assert.deepEqual([store.list.sequence, store.list.chain, revoked(store, 3)], [0, "", [1, 2, 3]]);
      assert.equal(store.leaseUntil, NOW + HOUR);
    });

    it("keeps it when the bundle comes before the list, and until the list is complete and signed for", async () => {
      await older();
      const store = await reopen();
      const all = [...three, entry(4)];
      await store.accept(await bundle({ ...names(all), version: 8, issuedAt: NOW + 10 }));
      for (const one of [store, await reopen()]) assert.deepEqual(revoked(one, 4), [1, 2, 3]);
      assert.ok(!existsSync(directory.file("bundle.jws.revocations")));
      takeRevocations(store.list, message(all, 0, 2));
      assert.deepEqual(revoked(store, 4), [1, 2, 3]);
      takeRevocations(store.list, message(all, 2));
      store.settle();
      for (const one of [store, await reopen()]) {
        assert.deepEqual([revoked(one, 4), one.revocations.size], [[1, 2, 3, 4], 4]);
        assert.equal(one.leaseUntil, NOW + HOUR, "and its lease counts");
      }
      assert.ok(!existsSync(directory.file("bundle.jws.list.old")));
    });

    it("drops what the signed list does not have, and nothing before that", async () => {
      await older();
      const store = await reopen();
      const fewer = [entry(1)];
      takeRevocations(store.list, message(fewer));
      assert.deepEqual(revoked(store, 3), [1, 2, 3]);
      await store.accept(await bundle({ ...names(fewer), version: 8, issuedAt: NOW + 10 }));
      for (const one of [store, await reopen()]) assert.deepEqual(revoked(one, 3), [1]);
    });
  });

  it("of which a file is gone does not count, nor does the bundle", async () => {
    const store = open();
    takeRevocations(store.list, message(three));
    await store.accept(await bundle(names(three)));
    rmSync(directory.file("bundle.jws.list"));
    const again = open();
    await assert.rejects(again.load(), { code: "bundle-older" });
    assert.deepEqual([again.bundle, again.leaseUntil], [null, 0]);
  });

  it("on a full disk narrows at once, is not complete, and is when there is room again", async () => {
    const disk = makeSmallSpool("size=64k");
    try {
      const store = new PolicyStore(`${disk.path}/bundle.jws`, HOST, [jwk]);
      takeRevocations(store.list, message(three, 0, 1));
      takeRevocations(store.list, message([entry(1)]));
      assert.throws(() => {
        for (;;) writeFileSync(`${disk.path}/filler`, Buffer.alloc(4096), { flag: "a" });
      }, /ENOSPC/);
      const long = (sequence: number) => entry(sequence, { reason: "x".repeat(490) as Revocation["reason"] });
      const many = [entry(1), ...Array.from({ length: 20 }, (_, index) => long(index + 2))];
      store.list.narrow(many.slice(1));
      assert.throws(() => takeRevocations(store.list, message(many, 1)), /ENOSPC/);
      assert.deepEqual([store.list.sequence, revoked(store, 21).length], [1, 21]);
      rmSync(`${disk.path}/filler`);
      takeRevocations(store.list, message(many, 1));
      const after = new PolicyStore(`${disk.path}/bundle.jws`, HOST, [jwk]);
      await after.load();
      for (const one of [store, after]) {
        assert.deepEqual([one.list.sequence, one.list.chain], [21, chainOf(many)]);
        assert.equal(revoked(one, 21).length, 21);
        one.list.close();
      }
    } finally {
      disk.remove();
    }
  });
});
