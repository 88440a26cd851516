import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { sshWithIdentity } from "../../fixtures/forged-login.ts";
import { run } from "../../fixtures/processes.ts";
import { sessionWhere } from "../../fixtures/sessions.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

/** Everything here is tried as the contractor's own user, inside a session. */
describe("a contractor's process", () => {
  let world: World;
  let alice: Person;

  before(async () => {
    world = await startWorld({ engagements: [{ name: "web", members: ["alice"] }] });
    alice = await world.signedIn("alice");
  });
  after(() => world.close());

  const attempt = async (command: string): Promise<string> => {
    const outcome = await run(alice.ssh("web-1", command), { env: alice.env });
    return outcome.stdout.toString() + outcome.stderr;
  };
  const SHIM = "$(pgrep -u deploy -x shim | head -1)";

  const rows: [what: string, command: string, refused: RegExp][] = [
    ["read the spool", "ls /var/lib/sallyport/spool", /Permission denied/],
    [
      "change the spool",
      "touch /var/lib/sallyport/spool/x || touch /var/lib/sallyport/x",
      /Permission denied[\s\S]*Permission denied/,
    ],
    ["read the host's key", "cat /var/lib/sallyport/host.key", /Permission denied/],
    ["read the pinned trust", "cat /etc/sallyport/trust.yaml", /Permission denied/],
    [
      "command the recorders",
      "python3 -c 'import socket; s=socket.socket(socket.AF_UNIX); s.connect(\"/run/sallyport/agent/control.sock\")'",
      /PermissionError/,
    ],
    [
      "signal a recorder",
      "for p in $(pgrep -u root -f 'main.ts recorder'); do kill -STOP $p; done",
      /Operation not permitted/,
    ],
    ["signal the agent", "kill -9 $(pgrep -u root -f 'agent/src/main.ts run')", /Operation not permitted/],
    ["trace the shim", `gdb -p ${SHIM} -batch 2>&1`, /Operation not permitted|ptrace/],
    ["open the shim's descriptors", `ls /proc/${SHIM}/fd`, /Permission denied/],
    ["read the shim's memory", `cat /proc/${SHIM}/mem`, /Permission denied/],
    ["read the shim's program", "cat /usr/local/lib/sallyport/shim", /Permission denied/],
  ];
  for (const [what, command, refused] of rows) {
    it(`cannot ${what}`, async () => {
      assert.match(await attempt(command), refused);
    });
  }

  it("cannot write to its terminal past the recorder", async () => {
    const terminal = new TerminalClient(alice.ssh("-q", "web-1"), { env: alice.env });
    await terminal.shows(/\$ $/);
    // sshd's terminal belongs to the user; it stands next to the recorder's.
    terminal.type(
      "for t in /dev/pts/[0-9]*; do [ $t = $(tty) ] || echo smuggled-$((6*7)) > $t; done; echo tried\r",
    );
    const text = await terminal.shows(/\rtried\r\n|\ntried\r\n/);
    assert.match(text, /Device or resource busy/);
    assert.doesNotMatch(text, /smuggled-42/);
    terminal.type("exit 41\r");
    await terminal.exited;
    const { id } = await sessionWhere(alice, (one) => one.exitStatus === 41);
    assert.ok((await alice.sallyport(["export", id, "--format", "raw"])).stdout.equals(terminal.bytes));
  });

  it("can stop or kill its own shim, and stops or ends only its own session", async () => {
    const terminal = new TerminalClient(alice.ssh("-q", "web-1"), { env: alice.env });
    await terminal.shows(/\$ $/);
    terminal.type("kill -9 $PPID\r");
    await terminal.exited;
    const session = await sessionWhere(alice, (one) => one.endReason === "disconnected");
    const raw = await alice.sallyport(["export", session.id, "--format", "raw"]);
    assert.ok(raw.stdout.includes("kill -9 $PPID"));
    assert.match(await attempt("echo still here"), /still here/);
  });

  it("gets nothing from the agent's sockets by itself", async () => {
    const ask = "setsid -w sh -c 'exec /usr/local/lib/sallyport/shim session </dev/null'";
    assert.match(await attempt(ask), /This account is used through Sallyport only/);
    assert.equal(await attempt("/usr/local/lib/sallyport/shim principals --user=deploy --key=AAAA"), "");
  });

  it("leaves no key behind that opens the account", async () => {
    const key = `${world.directory}/left-behind`;
    await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key]);
    const line = readFileSync(`${key}.pub`, "utf8").trim();
    await attempt(`mkdir -p ~/.ssh && echo '${line}' >> ~/.ssh/authorized_keys && chmod -R go= ~/.ssh`);
    const outcome = await run([...sshWithIdentity(world, key), "echo in"]);
    assert.equal(outcome.status, 255);
    assert.match(outcome.stderr, /Permission denied/);
  });
});
