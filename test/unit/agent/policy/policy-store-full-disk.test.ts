import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PolicyStore } from "@sallyport/agent/policy/policy-store.ts";
import { signDocument } from "@sallyport/core/policy/signed-document.ts";
import { id, makeBundle, makeRevocation } from "../../core/policy/scenario.ts";
import { makeSmallSpool, type Spool } from "../../uplink/spool/spool.ts";

const key = generateKeyPairSync("ed25519");
const jwk = { ...key.publicKey.export({ format: "jwk" }), kid: "p1" };

describe("the policy of a host whose disk is full", () => {
  let disk: Spool;
  let store: PolicyStore;
  const bundle = (version: number) =>
    signDocument({ ...makeBundle(), version }, "sallyport-bundle", "p1", key.privateKey);
  const fill = () =>
    assert.throws(() => {
      for (;;) writeFileSync(join(disk.path, "filler"), Buffer.alloc(4096), { flag: "a" });
    }, /ENOSPC/);

  beforeEach(async () => {
    disk = makeSmallSpool("size=64k");
    store = new PolicyStore(join(disk.path, "bundle.jws"), id("hst", "1"), [jwk as never]);
    await store.accept(await bundle(7));
    fill();
  });
  afterEach(() => disk.remove());

  it("is the new one all the same: filling the disk keeps no engagement alive", async () => {
    await assert.rejects(
      bundle(8).then((jws) => store.accept(jws)),
      /ENOSPC/,
    );
    assert.equal(store.bundle?.version, 8);
    rmSync(join(disk.path, "filler"));
    await store.accept(await bundle(8));
    const after = new PolicyStore(join(disk.path, "bundle.jws"), id("hst", "1"), [jwk as never]);
    await after.load();
    assert.equal(after.bundle?.version, 8);
  });

  it("has a revocation that was pushed", () => {
    const target = id("mem", "9");
    assert.throws(() => store.revoke(makeRevocation("member", target, 9)), /ENOSPC/);
    const nobody = {
      certificateSerial: "",
      keyFingerprint: "",
      engagementId: "",
      issuer: "",
      subject: "",
      vendors: [],
      signedInAt: 0,
    };
    const login = { ...nobody, memberId: target };
    assert.ok(store.revocations.find(login));
  });
});
