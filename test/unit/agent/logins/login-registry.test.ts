import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { type ProcessIdentity, processStat } from "@sallyport/agent/kernel/processes.ts";
import type { Login } from "@sallyport/agent/logins/login.ts";
import { LoginRegistry } from "@sallyport/agent/logins/login-registry.ts";
import { makeScenario } from "../../core/policy/scenario.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const { identity } = makeScenario().request;

describe("the registry of logins", () => {
  const directory = temporaryDirectory();
  const open = () => new LoginRegistry(directory.file("logins"));
  const files = () => readdirSync(directory.file("logins"));
  let self: ProcessIdentity;
  beforeEach(() => {
    const { pid, startTime } = processStat(process.pid) ?? { pid: 0, startTime: 0 };
    self = { pid, startTime };
  });

  const login = (changes: Partial<Login> = {}): Login => ({
    monitor: self,
    account: "deploy",
    uid: 1001,
    sourceAddress: "192.0.2.7",
    certificateHash: "abc",
    admitted: null,
    forwarding: false,
    marks: null,
    identity,
    refused: null,
    decidedAt: 1,
    ...changes,
  });
  const refused = { code: "revoked", told: "Your access was revoked." };

  it("has the last decision on a connection, whichever it was, and nothing of another's", () => {
    const registry = open();
    for (const last of [
      login(),
      login({ refused }),
      login({ certificateHash: "def", account: "db" }),
      login(),
    ]) {
      registry.set(last);
      assert.deepEqual(registry.get(self), last);
      assert.deepEqual(open().get(self), last, "after a restart too");
    }
    assert.equal(registry.get({ ...self, startTime: self.startTime - 1 }), undefined);
    assert.equal(files().length, 1);
  });

  it("has what it had where an agent was killed while it wrote", () => {
    open().set(login());
    const [name = ""] = files();
    writeFileSync(directory.file(`logins/${name}.new`), '{"monitor":');
    assert.deepEqual(open().get(self), login());
    assert.deepEqual(files(), [name]);
    const before = statSync(directory.file(`logins/${name}`)).ino;
    open().set(login({ refused }));
    assert.notEqual(statSync(directory.file(`logins/${name}`)).ino, before, "never written over in place");
  });

  it("is root's alone", () => {
    open().set(login());
    assert.equal(statSync(directory.file("logins")).mode & 0o777, 0o700);
    assert.equal(statSync(directory.file(`logins/${files()[0]}`)).mode & 0o777, 0o600);
  });

  it("forgets connections that are over, and says which, after a restart too", async () => {
    const registry = open();
    const sshd = spawn("cat", { stdio: ["pipe", "ignore", "inherit"] });
    const { pid, startTime } = processStat(sshd.pid ?? 0) ?? { pid: 0, startTime: 0 };
    registry.set(login({ monitor: { pid, startTime } }));
    registry.set(login());
    registry.sweep();
    assert.equal(files().length, 2);
    sshd.stdin.end();
    await once(sshd, "exit");
    // An agent that is ended before it has ended what they left behind leaves them to the next one.
    for (let restarts = 0; restarts < 2; restarts++) {
      assert.deepEqual(
        open()
          .sweep()
          .map(({ monitor }) => monitor),
        [{ pid, startTime }],
      );
    }
    assert.equal(files().length, 2);
    const [over] = registry.sweep();
    assert.ok(over);
    assert.deepEqual(registry.sweep(), []);
    registry.putBack(over);
    assert.deepEqual(registry.sweep(), [over]);
    registry.forget(over);
    assert.equal(files().length, 1);
    assert.deepEqual(registry.sweep(), []);
    assert.equal(registry.get({ pid, startTime }), undefined);
    assert.deepEqual(registry.get(self), login());
  });

  for (const damage of ["", "{", "null", "{}", "[]", '"x"', '{"monitor":null}', "\0\0\0"]) {
    it(`does without a file that says ${JSON.stringify(damage)}, and goes on`, () => {
      open().set(login());
      const [name = ""] = files();
      writeFileSync(directory.file(`logins/${name}`), damage);
      const registry = open();
      assert.equal(registry.get(self), undefined);
      assert.deepEqual(files(), []);
      registry.set(login());
      assert.deepEqual(JSON.parse(readFileSync(directory.file(`logins/${name}`), "utf8")), login());
    });
  }
});
