import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, rmSync, statSync } from "node:fs";
import { RevocationList } from "@sallyport/agent/policy/revocation-list.ts";
import { RevokedKeys } from "@sallyport/agent/policy/revoked-keys.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { makeRevocation, NOW } from "../../core/policy/scenario.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const DAY = 86_400;

describe("sshd's list of revoked keys", () => {
  const directory = temporaryDirectory();
  const keygen = (...args: string[]) =>
    spawnSync("ssh-keygen", args, { encoding: "utf8", cwd: directory.path });
  const make = (name: string) => keygen("-q", "-t", "ed25519", "-N", "", "-f", name);
  const isRevoked = (file: string) => keygen("-Qf", "krl", file).status !== 0;
  let list: RevocationList;
  let now: number;
  let keys: RevokedKeys;

  beforeEach(() => {
    for (const name of ["ca", "alice", "bob"]) make(name);
    keygen("-q", "-s", "ca", "-I", "alice", "-z", "77", "alice.pub");
    list = new RevocationList(directory.file("list"));
    now = NOW;
    keys = new RevokedKeys({
      ...{ file: directory.file("krl"), list, now: () => now },
      userCaKeys: () => [readFileSync(directory.file("ca.pub"), "utf8").trim()],
      onError: assert.fail,
    });
  });
  afterEach(() => list.close());

  const revoke = (level: Revocation["level"], target: string, changes: Partial<Revocation> = {}) =>
    list.append([{ ...makeRevocation(level, target, list.sequence + 1), at: NOW, ...changes } as Revocation]);

  it("is there before anything is revoked, for everybody to read", () => {
    keys.start();
    assert.equal(isRevoked("alice-cert.pub"), false);
    assert.equal(statSync(directory.file("krl")).mode & 0o777, 0o644);
  });

  it("has a certificate ten minutes after it was revoked: until then the agent says why", () => {
    revoke("certificate", "77");
    keys.start();
    assert.equal(isRevoked("alice-cert.pub"), false);
    now += 600;
    keys.write();
    assert.deepEqual([isRevoked("alice-cert.pub"), isRevoked("alice.pub")], [true, false]);
    now += 8 * DAY;
    keys.write();
    assert.equal(isRevoked("alice-cert.pub"), false, "no certificate is valid for so long");
  });

  it("has everything when the agent is stopped, and is mended when it is gone", () => {
    const [, key = ""] = keygen("-lf", "bob.pub").stdout.split(" ");
    revoke("certificate", "77");
    revoke("key", key);
    keys.stop();
    assert.deepEqual([isRevoked("alice-cert.pub"), isRevoked("bob.pub")], [true, true]);
    rmSync(directory.file("krl"));
    keys.stop();
    assert.deepEqual([isRevoked("alice-cert.pub"), isRevoked("bob.pub")], [true, true]);
  });

  it("is written in steps, so that logins are answered in between, and whole when the agent is stopped meanwhile", async () => {
    const fingerprint = (index: number) =>
      `SHA256:${createHash("sha256").update(`${index}`).digest("base64").slice(0, 43)}`;
    const [, key = ""] = keygen("-lf", "bob.pub").stdout.split(" ");
    keys.start();
    list.append(
      Array.from({ length: 5000 }, (_, index) => ({
        ...makeRevocation("key", index === 4999 ? key : fingerprint(index), index + 1),
        at: (NOW - 700) as Revocation["at"],
      })),
    );
    const before = statSync(directory.file("krl")).ino;
    const isWritten = () => statSync(directory.file("krl")).ino !== before;
    const turns = async () => {
      keys.writeSoon(0);
      await new Promise((resolve) => setTimeout(resolve, 1));
      let passed = 0;
      for (; !isWritten() && passed < 10_000; passed++) await new Promise(setImmediate);
      return passed;
    };
    assert.ok((await turns()) >= 4);
    assert.ok(isRevoked("bob.pub"));
    revoke("certificate", "77");
    keys.writeSoon(0);
    await new Promise((resolve) => setTimeout(resolve, 1));
    keys.stop();
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    assert.deepEqual([isRevoked("bob.pub"), isRevoked("alice-cert.pub")], [true, true]);
  });

  it("has no key that may be signed in with anew, and nothing that is no serial and no fingerprint", () => {
    const [, key = ""] = keygen("-lf", "bob.pub").stdout.split(" ");
    revoke("key", key, { before: NOW as Revocation["before"] });
    revoke("certificate", "18446744073709551616");
    revoke("certificate", "x");
    revoke("key", "SHA256:x");
    keys.stop();
    assert.deepEqual([isRevoked("bob.pub"), isRevoked("alice-cert.pub")], [false, false]);
  });
});
