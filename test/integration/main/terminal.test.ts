import assert from "node:assert/strict";
import { castEvents, sessionWhere } from "../../fixtures/sessions.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

describe("a session on a terminal", () => {
  let world: World;
  let alice: Person;

  before(async () => {
    world = await startWorld({ engagements: [{ name: "web", members: ["alice"] }] });
    alice = await world.signedIn("alice");
  });
  after(() => world.close());

  const open = (...argv: string[]): TerminalClient =>
    new TerminalClient(alice.ssh(...argv), {
      env: { ...alice.env, TERM: "xterm-256color" },
      columns: 91,
      rows: 33,
    });

  it("is a login shell of the account, on a terminal of its own, as large as the contractor's", async () => {
    const terminal = open("web-1");
    await terminal.shows(/\$ $/);
    terminal.type("shopt -q login_shell && echo login=yes; stty size; tty; echo $TERM $SHELL; id -un\r");
    const text = await terminal.shows(
      /login=yes\r\n33 91\r\n\/dev\/pts\/\d+\r\nxterm-256color \/bin\/bash\r\ndeploy\r\n/,
    );
    assert.doesNotMatch(text, /SSH_ORIGINAL_COMMAND/);
    terminal.type("exit\r");
    assert.equal(await terminal.exited, 0);
  });

  it("follows a change of the window's size", async () => {
    const terminal = open("web-1");
    await terminal.shows(/\$ $/);
    terminal.resize(120, 40);
    terminal.type("stty size\r");
    await terminal.shows(/\r40 120\r\n/);
    terminal.type("exit\r");
    await terminal.exited;
  });

  it("interrupts with Ctrl-C and suspends with Ctrl-Z", async () => {
    const terminal = open("web-1");
    await terminal.shows(/\$ $/);
    terminal.type("echo begun; sleep 1000; echo status $?\r");
    await terminal.shows(/\rbegun\r\n/);
    terminal.type("\x03");
    await terminal.shows(/\^C/);
    terminal.type("echo after $?\r");
    await terminal.shows(/\rafter 130\r\n/);
    terminal.type("cat\r");
    await terminal.shows(/\$ cat\r\n/);
    terminal.type("cat is there\r");
    await terminal.shows(/cat is there\r\ncat is there\r\n/);
    terminal.type("\x1a");
    await terminal.shows(/Stopped/);
    terminal.type("kill -9 %1; exec true\r");
    await terminal.exited;
  });

  it("passes colours and every byte through", async () => {
    const everyByte =
      'bytes() { i=1; while [ $i -lt 256 ]; do printf "\\\\$(printf %o $i)"; i=$((i+1)); done; }';
    const terminal = open("-tt", "web-1", `stty raw; printf '\\033[31mred\\033[0m'; ${everyByte}; bytes`);
    await terminal.exited;
    const expected = Buffer.from(Array.from({ length: 255 }, (_, i) => i + 1));
    assert.ok(terminal.bytes.includes(Buffer.from("\x1b[31mred\x1b[0m")));
    assert.ok(terminal.bytes.includes(expected), "all of 1…255 in order");
  });

  for (const status of [0, 1, 42, 255]) {
    it(`ends with exit status ${status}`, async () => {
      const terminal = open("-tt", "web-1", `exit ${status}`);
      assert.equal(await terminal.exited, status);
    });
  }

  it("shows to the last byte what a command printed before it ended", async () => {
    const terminal = open("-tt", "web-1", "seq 1 200000; echo the end");
    await terminal.exited;
    const lines = terminal.text.replaceAll("\r\n", "\n").split("\n");
    assert.equal(
      lines.slice(0, 200_000).join(" "),
      Array.from({ length: 200_000 }, (_, i) => i + 1).join(" "),
    );
    assert.equal(lines[200_000], "the end");
  });

  it("ends when its shell ends, whatever the shell left on the terminal", async () => {
    const terminal = open("web-1");
    await terminal.shows(/\$ $/);
    terminal.type("sleep 3000 & disown; exit 5\r");
    assert.equal(await terminal.exited, 5);
  });

  it("ends when the contractor hangs up, with everything on its terminal", async () => {
    const terminal = open("web-1");
    await terminal.shows(/\$ $/);
    terminal.type("exec -a left-behind sleep 3001\r");
    await terminal.shows(/left-behind/);
    terminal.kill("SIGKILL");
    await terminal.exited;
    const session = await sessionWhere(alice, (one) => one.endReason === "disconnected");
    assert.equal(session.state, "ended");
    const left = await world.host.run(["pgrep", "-f", "left-behind"]);
    assert.equal(left.stdout, "");
  });

  it("withholds a password from the recording, and nothing else that is typed", async () => {
    const terminal = open("web-1");
    await terminal.shows(/\$ $/);
    terminal.type(`read -rsp 'Password: ' secret; echo; printf %s "$secret" | wc -c\r`);
    await terminal.shows(/Password: $/);
    terminal.type("hunter2hunter2\r");
    await terminal.shows(/\n14\r\n/);
    terminal.type("echo visible-input; exit 77\r");
    await terminal.exited;
    const { id } = await sessionWhere(alice, (one) => one.exitStatus === 77);
    const events = await castEvents(alice, id);
    const typed = events
      .filter(([, code]) => code === "i")
      .map(([, , data]) => data)
      .join("");
    assert.ok(typed.includes("echo visible-input"));
    assert.ok(!JSON.stringify(events).includes("hunter2"));
  });
});
