import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { PolicyStore } from "@sallyport/agent/policy/policy-store.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import type { Bundle } from "@sallyport/core/policy/bundle.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { signDocument } from "@sallyport/core/policy/signed-document.ts";
import { HOUR, id, MEMBER, makeBundle, makeRevocation, NOW } from "../../core/policy/scenario.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const HOST = id("hst", "1");
const key = generateKeyPairSync("ed25519");
const jwk = { ...key.publicKey.export({ format: "jwk" }), kid: "p1" } as {
  kty: "OKP";
  crv: "Ed25519";
  x: string;
  kid: string;
};

const bundle = (changes: Partial<Bundle> = {}, signer: KeyObject = key.privateKey) =>
  signDocument({ ...makeBundle(), ...changes }, "sallyport-bundle", "p1", signer);
const lease = (changes: Record<string, unknown> = {}) =>
  signDocument(
    {
      v: 1,
      hostId: HOST,
      bundleVersion: 7,
      revocationSequence: 0,
      issuedAt: NOW,
      leaseUntil: NOW + 2 * HOUR,
      ...changes,
    },
    "sallyport-lease",
    "p1",
    key.privateKey,
  );
const entry = (sequence: number): Revocation => ({
  ...makeRevocation("member", `mem_${String(sequence).padStart(26, "0")}`, sequence),
  id: `rev_${String(sequence).padStart(26, "0")}`,
});
const code = (expected: string) => (error: unknown) => isSallyportError(error, expected as "bundle-older");

describe("the policy of a host", () => {
  const directory = temporaryDirectory();
  const open = () => new PolicyStore(directory.file("bundle.jws"), HOST, [jwk]);
  const reopen = async () => {
    const store = open();
    await store.load();
    return store;
  };
  const isRevoked = (store: PolicyStore, sequence: number) =>
    store.revocations.find({
      ...{ issuer: "", subject: "", vendors: [], signedInAt: 0 },
      certificateSerial: "",
      keyFingerprint: "",
      engagementId: "",
      memberId: entry(sequence).target,
    }) !== undefined;

  it("is none at first", async () => {
    const store = await reopen();
    assert.deepEqual([store.bundle, store.leaseUntil, store.revocations.size], [null, 0, 0]);
  });

  it("is the bundle that was accepted, after a restart too, for root's eyes only", async () => {
    const store = open();
    const accepted = await store.accept(await bundle());
    for (const one of [store, await reopen()]) {
      assert.deepEqual(one.bundle, accepted);
      assert.equal(one.leaseUntil, NOW + HOUR);
    }
    assert.equal(statSync(directory.file("bundle.jws")).mode & 0o777, 0o600);
  });

  for (const [what, expected, jws] of [
    ["an older version", "bundle-older", () => bundle({ version: 6 })],
    [
      "another host",
      "bundle-wrong-host",
      () => bundle({ host: { ...makeBundle().host, id: id("hst", "2") } }),
    ],
    [
      "another key",
      "bundle-bad-signature",
      () => bundle({ version: 8 }, generateKeyPairSync("ed25519").privateKey),
    ],
    ["a lease for a bundle", "bundle-bad-signature", () => lease()],
    ["no document", "bundle-bad-signature", async () => "x"],
    ["nothing", "bundle-bad-signature", async () => ""],
  ] as const) {
    it(`is not changed by ${what}, before a restart or after`, async () => {
      await open().accept(await bundle());
      const store = await reopen();
      const stored = readFileSync(directory.file("bundle.jws"), "utf8");
      await assert.rejects(store.accept(await jws()), code(expected));
      assert.equal(store.bundle?.version, 7);
      assert.equal(readFileSync(directory.file("bundle.jws"), "utf8"), stored);
    });
  }

  it("is not an older one that was put in its place, which nothing else would notice", async () => {
    const store = open();
    await store.accept(await bundle({ version: 6 }));
    const old = readFileSync(directory.file("bundle.jws"));
    await store.accept(await bundle());
    const newest = readFileSync(directory.file("bundle.jws.newest"));
    writeFileSync(directory.file("bundle.jws"), old);
    rmSync(directory.file("bundle.jws.newest"));
    assert.equal((await reopen()).bundle?.version, 6, "the attack works on a host that does not remember");
    writeFileSync(directory.file("bundle.jws.newest"), newest);
    const again = open();
    await assert.rejects(again.load(), code("bundle-older"));
    assert.equal(again.bundle, null);
    await assert.rejects(
      bundle({ version: 6 }).then((jws) => again.accept(jws)),
      code("bundle-older"),
    );
    assert.equal((await again.accept(await bundle())).version, 7);
    assert.equal((await reopen()).bundle?.version, 7);
  });

  it("is none where revocations that came since were taken away", async () => {
    const store = open();
    await store.accept(await bundle());
    store.revoke(entry(1));
    rmSync(directory.file("bundle.jws.revocations"));
    const again = open();
    await assert.rejects(again.load(), code("bundle-older"));
    await again.accept(await bundle({ version: 8, revocations: [entry(1)], revocationSequence: 1 }));
    assert.ok(isRevoked(await reopen(), 1));
  });

  it("begins anew where the host was enrolled anew, and where nobody knows what was", async () => {
    await open().accept(await bundle());
    for (const other of [
      `{"v":1,"hostId":"${id("hst", "2")}","version":99,"revocationSequence":9}`,
      ...["", "{", "null"],
    ]) {
      writeFileSync(directory.file("bundle.jws.newest"), other);
      assert.equal((await reopen()).bundle?.version, 7);
    }
  });

  it("may be replaced by one of the same version: a fresh lease is worth it", async () => {
    const store = open();
    await store.accept(await bundle());
    await store.accept(await bundle({ leaseUntil: NOW + 5 * HOUR }));
    assert.equal(store.leaseUntil, NOW + 5 * HOUR);
  });

  it("is in force though it cannot be stored, and whoever brought it is told", async () => {
    const store = new PolicyStore(directory.file("no/where"), HOST, [jwk]);
    await assert.rejects(
      bundle().then((jws) => store.accept(jws)),
      /ENOENT/,
    );
    assert.equal(store.bundle?.version, 7);
  });

  describe("has a lease", () => {
    it("that is prolonged, never shortened, and survives a restart", async () => {
      const store = open();
      await store.accept(await bundle());
      await store.renew(await lease());
      await store.renew(await lease({ leaseUntil: NOW + 60 }));
      assert.equal(store.leaseUntil, NOW + 2 * HOUR);
      await store.renew(await lease({ leaseUntil: NOW + 3 * HOUR }));
      const again = await reopen();
      assert.deepEqual([again.leaseUntil, again.bundle?.version], [NOW + 3 * HOUR, 7]);
    });

    for (const [what, expected, jws] of [
      ["an older bundle", "bundle-older", () => lease({ bundleVersion: 6 })],
      ["a bundle that never came", "bundle-older", () => lease({ bundleVersion: 8 })],
      ["another host", "bundle-wrong-host", () => lease({ hostId: id("hst", "2") })],
      ["the bundle in a lease's place", "bundle-bad-signature", () => bundle()],
    ] as const) {
      it(`that ${what} does not prolong`, async () => {
        const store = open();
        await store.accept(await bundle());
        await assert.rejects(store.renew(await jws()), code(expected));
        assert.equal(store.leaseUntil, NOW + HOUR);
        assert.equal((await reopen()).leaseUntil, NOW + HOUR);
      });
    }

    it("only with a bundle", async () => {
      await assert.rejects(
        lease().then((jws) => open().renew(jws)),
        code("bundle-older"),
      );
      assert.ok(!existsSync(directory.file("bundle.jws")));
    });
  });

  describe("keeps a revocation in force", () => {
    it("that came before any bundle", async () => {
      const store = open();
      store.revoke(entry(3));
      await store.accept(await bundle());
      assert.ok(isRevoked(store, 3));
    });

    it("that is newer than the bundle that came after it, until one knows it", async () => {
      const store = open();
      await store.accept(await bundle());
      store.revoke(entry(3));
      await store.accept(await bundle({ version: 8, revocationSequence: 2, revocations: [entry(2)] }));
      assert.deepEqual(
        [isRevoked(store, 2), isRevoked(store, 3), store.revocations.sequence],
        [true, true, 3],
      );
      await store.accept(
        await bundle({ version: 9, revocationSequence: 3, revocations: [entry(2), entry(3)] }),
      );
      assert.deepEqual([isRevoked(store, 2), isRevoked(store, 3), store.revocations.size], [true, true, 2]);
    });

    it("that the bundle has, after a restart", async () => {
      await open().accept(
        await bundle({ revocationSequence: 1, revocations: [makeRevocation("member", MEMBER)] }),
      );
      const { revocations } = await reopen();
      assert.deepEqual([revocations.size, revocations.sequence], [1, 1]);
    });
  });

  describe("is none after damage", () => {
    for (const [what, damage] of [
      ["cut off", (text: string) => text.slice(0, text.length / 2)],
      [
        "one letter changed",
        (text: string) => text.replace(/\.(.)/, (_, letter) => (letter === "A" ? ".B" : ".A")),
      ],
      ["empty", () => ""],
      ["zeros", (text: string) => "\0".repeat(text.length)],
      ["its lease alone", (text: string) => text.split("\n").slice(1).join("\n")],
    ] as const) {
      it(`: ${what}`, async () => {
        const before = open();
        await before.accept(await bundle());
        await before.renew(await lease());
        writeFileSync(
          directory.file("bundle.jws"),
          damage(readFileSync(directory.file("bundle.jws"), "utf8")),
        );
        const store = open();
        await assert.rejects(store.load(), code("bundle-bad-signature"));
        assert.deepEqual([store.bundle, store.leaseUntil], [null, 0]);
        await store.accept(await bundle());
        assert.equal((await reopen()).bundle?.version, 7);
      });
    }

    it("but only of its lease where that alone is damaged", async () => {
      const before = open();
      await before.accept(await bundle());
      await before.renew(await lease());
      const text = readFileSync(directory.file("bundle.jws"), "utf8");
      writeFileSync(directory.file("bundle.jws"), text.slice(0, -10));
      const store = open();
      await assert.rejects(store.load(), code("bundle-bad-signature"));
      assert.deepEqual([store.bundle?.version, store.leaseUntil], [7, NOW + HOUR]);
    });
  });
});
