import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { type KeyRevocationList, writeKrl } from "@sallyport/core/ssh/krl.ts";
import { fingerprint, parsePublicKeyLine } from "@sallyport/core/ssh/public-key.ts";
import { temporaryDirectory } from "../../agent/support/temporary.ts";

const NOTHING: KeyRevocationList = {
  version: 1,
  generatedAt: 1e9,
  caKeys: [],
  serials: [],
  fingerprints: [],
};

describe("a key revocation list for OpenSSH", () => {
  const directory = temporaryDirectory();
  const keygen = (...args: string[]) =>
    spawnSync("ssh-keygen", args, { encoding: "utf8", cwd: directory.path });
  const makeKey = (name: string): string => {
    assert.equal(keygen("-q", "-t", "ed25519", "-N", "", "-f", name).status, 0);
    return readFileSync(directory.file(`${name}.pub`), "utf8").trim();
  };
  const certify = (ca: string, name: string, serial: string) =>
    assert.equal(keygen("-q", "-s", ca, "-I", name, "-z", serial, `${name}.pub`).status, 0);
  const blob = (line: string) => parsePublicKeyLine(line).blob;
  /** ssh-keygen's own verdict. */
  const isRevoked = (list: KeyRevocationList, file: string): boolean => {
    writeFileSync(directory.file("list.krl"), writeKrl(list));
    const { status, stdout, stderr } = keygen("-Qf", "list.krl", file);
    assert.match(stdout, /: (ok|REVOKED)$/m, stderr);
    return status !== 0;
  };

  it("takes certificates by their numbers, of the CAs that are named and of no other", () => {
    const [ca, next, other] = ["ca", "next", "other"].map(makeKey) as [string, string, string];
    makeKey("alice");
    const caKeys = [blob(ca), blob(next)];
    for (const serial of ["1", "77", "9223372036854775809", "18446744073709551615"]) {
      const list = { ...NOTHING, caKeys, serials: [2n, BigInt(serial), 1000n] };
      for (const [name, revoked] of [
        ["ca", true],
        ["next", true],
        ["other", false],
      ] as const) {
        certify(name, "alice", serial);
        assert.equal(isRevoked(list, "alice-cert.pub"), revoked, `${serial} of ${name}`);
        assert.equal(isRevoked({ ...list, serials: [78n] }, "alice-cert.pub"), false);
      }
    }
    assert.ok(other.length > 0);
    certify("ca", "alice", "0");
    assert.equal(isRevoked({ ...NOTHING, caKeys, serials: [0n] }, "alice-cert.pub"), false, "0 is no number");
  });

  it("takes keys by their fingerprints, and certificates for them", () => {
    makeKey("ca");
    const lines = ["alice", "bob", "carol"].map(makeKey);
    certify("ca", "alice", "5");
    const fingerprints = lines.slice(0, 2).map((line) => fingerprint(blob(line)));
    const list = { ...NOTHING, fingerprints };
    for (const [file, revoked] of [
      ["alice.pub", true],
      ["alice-cert.pub", true],
      ["bob.pub", true],
      ["carol.pub", false],
    ] as const)
      assert.equal(isRevoked(list, file), revoked, file);
  });

  it("takes 10,000 of each", () => {
    const ca = makeKey("ca");
    makeKey("alice");
    certify("ca", "alice", "9999");
    const serials = Array.from({ length: 10_000 }, (_, index) => BigInt(index));
    const fingerprints = serials.map((serial) => {
      const hash = Buffer.alloc(32);
      hash.writeBigUInt64BE((serial * 0x9e3779b97f4a7c15n) & 0xffff_ffff_ffff_ffffn);
      return `SHA256:${hash.toString("base64").replace(/=+$/, "")}`;
    });
    const list = { ...NOTHING, caKeys: [blob(ca)], serials, fingerprints };
    assert.equal(isRevoked(list, "alice-cert.pub"), true);
    assert.equal(isRevoked(list, "alice.pub"), false);
    const otherOrder = { ...list, serials: serials.toReversed(), fingerprints: fingerprints.toReversed() };
    assert.deepEqual(writeKrl(otherOrder), writeKrl(list));
  });

  it("takes nothing when nothing is revoked, and no fingerprint of another kind", () => {
    makeKey("alice");
    assert.equal(isRevoked(NOTHING, "alice.pub"), false);
    for (const wrong of ["MD5:00:11", "SHA256:AAAA", ""])
      assert.throws(() => writeKrl({ ...NOTHING, fingerprints: [wrong] }), TypeError);
  });
});
