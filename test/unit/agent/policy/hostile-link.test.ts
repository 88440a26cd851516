import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { rmSync, statSync } from "node:fs";
import { PolicyStore } from "@sallyport/agent/policy/policy-store.ts";
import { narrowBy, takeRevocations } from "@sallyport/agent/policy/take-revocations.ts";
import type { Bundle } from "@sallyport/core/policy/bundle.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { chainRevocation } from "@sallyport/core/policy/revocation-chain.ts";
import { signDocument } from "@sallyport/core/policy/signed-document.ts";
import { id, makeBundle, makeRevocation, NOW } from "../../core/policy/scenario.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const HOST = id("hst", "1");
const key = generateKeyPairSync("ed25519");
const jwk = { ...key.publicKey.export({ format: "jwk" }), kid: "p1" } as never;
const [ALICE, BOB] = [id("mem", "a"), id("mem", "b")];
const AN_HOUR = 3600;

const entry = (sequence: number, target: string, changes: Partial<Revocation> = {}): Revocation => ({
  ...makeRevocation("member", target, sequence),
  ...({ id: `rev_${String(sequence).padStart(26, "0")}`, at: NOW - 1000 + sequence } as Partial<Revocation>),
  ...changes,
});
const message = (entries: readonly Revocation[], after = 0, sequence = after + entries.length) => ({
  ...{ type: "revocations" as const, after, sequence },
  entries: [...entries],
});
const chainOf = (entries: readonly Revocation[]) => entries.reduce(chainRevocation, "");

/** What somebody can do who holds the link: leave out, repeat, reorder and make up entries, but sign nothing. */
describe("entries of the revocation list from somebody who holds the link", () => {
  const directory = temporaryDirectory();
  const open = () => new PolicyStore(directory.file("bundle.jws"), HOST, [jwk], () => NOW);
  const reopen = async (): Promise<PolicyStore> => {
    const store = open();
    await store.load();
    return store;
  };
  const bundle = (entries: readonly Revocation[], changes: Partial<Bundle> = {}) =>
    signDocument(
      {
        ...{ ...makeBundle(), revocationSequence: entries.length, revocationChain: chainOf(entries) },
        ...changes,
      },
      "sallyport-bundle",
      "p1",
      key.privateKey,
    );
  const isRevoked = (store: PolicyStore, memberId: string, signedInAt = NOW) =>
    store.revocations.find({
      ...{ issuer: "", subject: "", vendors: [], signedInAt, certificateSerial: "", keyFingerprint: "" },
      ...{ engagementId: "", memberId },
    }) !== undefined;
  const receive = (store: PolicyStore, one: ReturnType<typeof message>) => {
    narrowBy(store.list, one);
    takeRevocations(store.list, one);
    store.settle();
  };
  const lifted = [entry(1, ALICE), entry(2, ALICE, { before: NOW - 500 })];

  it("that are repeated throw nobody out who was let in again since", async () => {
    const store = open();
    const all = [entry(1, BOB), entry(2, ALICE), entry(3, ALICE, { before: NOW - 500 })];
    receive(store, message(all));
    await store.accept(await bundle(all));
    assert.equal(isRevoked(store, ALICE), false);
    const again = [message(all), message(all.slice(1, 2), 1), message(all.slice(0, 2), 0, 3)];
    for (const one of again) {
      narrowBy(store.list, one);
      assert.equal(isRevoked(store, ALICE), false, "before its turn");
      takeRevocations(store.list, one);
      assert.equal(isRevoked(store, ALICE), false);
    }
  });

  it("come whole to a host that had them in its bundle, and throw nobody out on the way", async () => {
    const store = open();
    await store.accept(
      await bundle([], {
        ...{ revocations: [lifted[1] as Revocation], revocationSequence: 2 },
        revocationChain: undefined,
      }),
    );
    const all = [...lifted, entry(3, BOB)];
    const first = message(all.slice(0, 1), 0, 3);
    narrowBy(store.list, first);
    assert.equal(isRevoked(store, ALICE), false, "before its turn");
    assert.equal(takeRevocations(store.list, first), "going-on");
    assert.equal(isRevoked(store, ALICE), false, "while it comes");
    const rest = message(all.slice(1), 1);
    narrowBy(store.list, rest);
    assert.equal(isRevoked(store, BOB), true, "what is new is in force before its turn");
    assert.equal(takeRevocations(store.list, rest), "stored");
    assert.deepEqual([isRevoked(store, ALICE), isRevoked(store, BOB)], [false, true]);
  });

  it("with numbers beyond all bounds take no true one's place", async () => {
    const store = open();
    receive(store, message([entry(1, BOB), entry(2, ALICE)]));
    await store.accept(await bundle([entry(1, BOB)], { issuedAt: NOW - 999 }));
    for (const sequence of [2 ** 32, 2 ** 33, 2 ** 52])
      receive(store, message([entry(sequence, ALICE)], sequence - 1));
    // The list without her, and who is not on it is not revoked.
    receive(store, message([entry(1, BOB)]));
    for (const one of [store, await reopen()]) assert.ok(isRevoked(one, ALICE));
  });

  it("of a far future are in force no longer than an hour after the true list is back", async () => {
    const store = open();
    const forged = [entry(1, BOB, { at: 253_402_300_799 })];
    receive(store, message(forged));
    const genuine = [entry(1, ALICE)];
    receive(store, message(genuine));
    await store.accept(await bundle(genuine, { issuedAt: NOW + 10 }));
    assert.ok(isRevoked(store, BOB));
    const again = await reopen();
    await again.accept(await bundle(genuine, { version: 8, issuedAt: NOW + AN_HOUR + 1 }));
    for (const one of [again, await reopen()])
      assert.deepEqual([isRevoked(one, ALICE), isRevoked(one, BOB)], [true, false]);
  });

  it("and a lease of before in between take no newer one's place on the disk", async () => {
    const store = open();
    await store.accept(await bundle([], { revocationChain: "" }));
    const lease = (issuedAt: number, entries: readonly Revocation[]) =>
      signDocument(
        {
          ...{ v: 1, hostId: HOST, bundleVersion: 7, issuedAt, leaseUntil: issuedAt + 2 * AN_HOUR },
          ...{ revocationSequence: entries.length, revocationChain: chainOf(entries) },
        },
        "sallyport-lease",
        "p1",
        key.privateKey,
      );
    const list = [entry(1, ALICE), entry(2, BOB)];
    receive(store, message(list));
    await store.renew(await lease(NOW + 20, list));
    await store.renew(await lease(NOW + 10, list.slice(0, 1)));
    assert.equal((await reopen()).leaseUntil, NOW + 20 + 2 * AN_HOUR);
    rmSync(directory.file("bundle.jws.list"));
    const again = open();
    receive(again, message(list.slice(0, 1)));
    again.list.close();
    await assert.rejects(open().load(), { code: "bundle-older" }, "it knows how long its list was");
  });

  it("of one list and another and again do not fill the disk", () => {
    const store = open();
    const [one, other] = [ALICE, BOB].map((target) =>
      Array.from({ length: 100 }, (_, index) => entry(index + 1, `${target}${index}`)),
    );
    const sizes = Array.from({ length: 6 }, () => {
      receive(store, message(one ?? []));
      receive(store, message(other ?? []));
      return statSync(directory.file("bundle.jws.list.old")).size;
    });
    assert.equal(sizes.at(-1), sizes[1]);
  });
});
