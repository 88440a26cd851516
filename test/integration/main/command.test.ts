import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../fixtures/processes.ts";
import { sessionsOf, sessionWhere } from "../../fixtures/sessions.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

describe("a command over ssh", () => {
  let world: World;
  let alice: Person;

  before(async () => {
    world = await startWorld({ engagements: [{ name: "web", members: ["alice"] }] });
    alice = await world.signedIn("alice");
  });
  after(() => world.close());

  const ssh = (command: string, input?: string | Uint8Array) =>
    run(alice.ssh("web-1", command), { env: alice.env, ...(input === undefined ? {} : { input }) });

  for (const status of [0, 1, 42, 255]) {
    it(`ends with exit status ${status}`, async () => {
      assert.equal((await ssh(`exit ${status}`)).status, status);
    });
  }

  it("tells of a death by signal as plain OpenSSH does", async () => {
    assert.equal((await ssh("kill -TERM $$")).status, 255);
    const session = await sessionWhere(
      alice,
      (one) => one.command === "kill -TERM $$" && one.state === "ended",
    );
    assert.equal(session.signal, "SIGTERM");
  });

  it("keeps standard error apart from standard output", async () => {
    const outcome = await ssh("echo out; echo err >&2");
    assert.equal(outcome.stdout.toString(), "out\n");
    assert.equal(outcome.stderr, "err\n");
  });

  it("gets its standard input, byte for byte, and its end", async () => {
    const input = randomBytes(3_000_000);
    const outcome = await ssh("sha256sum", input);
    assert.equal(outcome.stdout.toString(), `${createHash("sha256").update(input).digest("hex")}  -\n`);
  });

  it("gives its output byte for byte", async () => {
    const input = randomBytes(5_000_000);
    const outcome = await ssh("cat", input);
    assert.ok(outcome.stdout.equals(input));
  });

  it("may stop reading early, or write nothing", async () => {
    assert.equal((await ssh("exec <&-; exit 4", randomBytes(1_000_000))).status, 4);
    assert.equal((await ssh("exec >&- 2>&-; exit 5")).status, 5);
    assert.equal((await ssh("head -c 1 >/dev/null", randomBytes(1_000_000))).status, 0);
  });

  it("is run by the account's shell exactly as it was sent", async () => {
    const outcome = await ssh(
      `printf '%s|' "$0" 'a  b' "\\$HOME" $'\\xff'; echo; shopt -q login_shell || echo no login shell`,
    );
    assert.ok(
      outcome.stdout.equals(Buffer.from("bash|a  b|$HOME|\xff|\nno login shell\n", "latin1")),
      outcome.stdout.toString("latin1"),
    );
  });

  it("runs in the environment that sshd made, without what it needed itself", async () => {
    const outcome = await ssh("env; pwd; umask; id -un");
    const text = outcome.stdout.toString();
    assert.match(text, /^SSH_CONNECTION=127\.0\.0\.1 /m);
    assert.match(text, /^SHELL=\/bin\/bash$/m);
    assert.match(text, /^HOME=\/home\/deploy$/m);
    assert.doesNotMatch(text, /SSH_ORIGINAL_COMMAND|SSH_TTY/);
    assert.match(text, /\n\/home\/deploy\n00\d\d\ndeploy\n$/);
  });

  it("works for sftp and scp, each as a recorded session", async () => {
    const file = join(world.directory, "upload");
    writeFileSync(file, randomBytes(200_000));
    const config = join(alice.home, "ssh_config");
    const copy = (...argv: string[]) => run(["scp", "-q", "-F", config, ...argv], { env: alice.env });
    assert.equal((await copy(file, "web-1:uploaded")).status, 0);
    assert.equal((await copy("-O", "web-1:uploaded", `${file}.back`)).status, 0);
    assert.ok(readFileSync(`${file}.back`).equals(readFileSync(file)));
    await sessionWhere(
      alice,
      (one) => one.command?.includes("sftp-server") === true && one.state === "ended",
    );
  });

  it("runs twenty times at once", async () => {
    const runs = Array.from({ length: 20 }, (_, i) => ssh(`echo begin ${i}; cat; exit ${i}`, `input ${i}\n`));
    for (const [i, outcome] of (await Promise.all(runs)).entries()) {
      assert.equal(outcome.stdout.toString(), `begin ${i}\ninput ${i}\n`, outcome.stderr);
      assert.equal(outcome.status, i);
    }
    await sessionWhere(
      alice,
      (one) => one.command?.startsWith("echo begin 19;") === true && one.state === "ended",
    );
    const commands = (await sessionsOf(alice)).map((one) => one.command ?? "");
    assert.equal(commands.filter((command) => command.startsWith("echo begin ")).length, 20);
  });

  it("may be the second session of a multiplexed connection, with a recording of its own", async () => {
    const socket = join(alice.home, "mux");
    const master = new TerminalClient(alice.ssh("-M", "-S", socket, "web-1"), { env: alice.env });
    await master.shows(/\$ $/);
    const second = await run(alice.ssh("-S", socket, "web-1", "echo second; exit 9"), { env: alice.env });
    assert.equal(second.stdout.toString(), "second\n");
    assert.equal(second.status, 9);
    master.type("exit\r");
    await master.exited;
    const session = await sessionWhere(
      alice,
      (one) => one.command === "echo second; exit 9" && one.state === "ended",
    );
    assert.equal(session.exitStatus, 9);
  });
});
