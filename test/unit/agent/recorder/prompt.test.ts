import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { CommandGrant, type CommandRule } from "@sallyport/core/commands/command-rule.ts";
import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import type { SessionGrant } from "@sallyport/core/commands/session-grant.ts";
import { recordingFrames } from "@sallyport/core/recording/chain.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import type { z } from "zod";
import { readBlocks } from "../../uplink/spool/spool.ts";
import { RecorderUnderTest } from "../support/recorder.ts";
import { type ScriptedShim, startField } from "../support/scripted-shim.ts";

type Rules = z.input<typeof CommandRule>[];

function commands(rules: Rules): SessionGrant {
  const grant = CommandGrant.parse({ rules: rules.map((rule) => ({ ...rule, confine: { read: "any" } })) });
  return {
    mode: "commands",
    commands: [grant],
    files: [],
    engagement: "acme-db",
    contact: "dana@company.test",
  };
}

const ESC = "\\u001b";
const MOVES = new RegExp(`${ESC}\\[\\d*[A-DGJK]`, "g");

const RULES: Rules = [
  { program: "echo", arguments: [{ repeated: { matches: "[a-z0-9]+" }, to: 5 }] },
  { program: "cat", arguments: ["/etc/hosts"], description: "The names of hosts" },
  { program: "cat" },
  { program: "yes", outputLimit: 1000 },
  { program: "stty", arguments: [{ oneOf: ["size", "-a"] }] },
];

/** A contractor at the prompt, and the shim that starts what it is told to. */
class AtPrompt {
  readonly shim: ScriptedShim;
  readonly session: string;
  readonly programs: ChildProcess[] = [];
  /** All that was shown. */
  text = "";
  over = false;
  starts = 0;
  readonly signals: number[] = [];
  #wake: () => void = () => {};

  constructor(shim: ScriptedShim, session: string) {
    [this.shim, this.session] = [shim, session];
    void this.#serve();
  }

  type(text: string): void {
    this.shim.send("i", Buffer.from(text));
  }

  /** Waits for it, and forgets it with all before it. */
  async shows(pattern: RegExp): Promise<void> {
    const there = () => pattern.test(this.text) || this.over;
    const soon = await Promise.race([this.#until(there), setTimeout(10_000, false, { ref: false })]);
    const found = pattern.exec(this.text);
    if (!soon || found === null) assert.fail(`${pattern} is not shown: ${JSON.stringify(this.text)}`);
    this.text = this.text.slice(found.index + found[0].length);
  }

  async #until(there: () => boolean): Promise<boolean> {
    while (!there()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return true;
  }

  async #serve(): Promise<void> {
    for (let frame = await this.shim.next(); frame !== null; frame = await this.shim.next()) {
      if (frame.type === "x") this.#start(frame.data);
      else if (frame.type === "d" || frame.type === "t") {
        // Without how the editor moves the cursor.
        this.text = (this.text + String(frame.data)).replace(MOVES, "");
      } else if (frame.type === "k") this.#signal(frame.data[0] ?? 0);
      this.#wake();
    }
    this.over = true;
    this.#wake();
  }

  #signal(number: number): void {
    const program = this.programs.at(-1);
    this.signals.push(number);
    if (program?.pid !== undefined && program.exitCode === null && program.signalCode === null)
      process.kill(-program.pid, number);
  }

  #start(start: Buffer): void {
    this.starts++;
    const slave = openSync(String(startField(start, "t")[0]), constants.O_RDWR | constants.O_NOCTTY);
    const argv = startField(start, "a").map(String).slice(1);
    const file = String(startField(start, "f")[0]);
    const program = spawn("setsid", ["--ctty", file, ...argv], { stdio: [slave, slave, slave] });
    closeSync(slave);
    this.programs.push(program);
    this.shim.send("c");
    program.on("exit", (status, signal) =>
      this.shim.send("w", signal === null ? Buffer.of(0, status ?? 0) : Buffer.of(1, 15)),
    );
  }
}

describe("the prompt", () => {
  let recorder: RecorderUnderTest;
  let all: AtPrompt[];
  before(async () => {
    recorder = await RecorderUnderTest.start();
    all = [];
  });
  after(async () => {
    for (const { programs } of all) for (const program of programs) program.kill("SIGKILL");
    await recorder.close();
  });

  const open = async (rules: Rules = RULES, changes = {}): Promise<AtPrompt> => {
    const ticket = recorder.ticket({ grant: commands(rules), ...changes });
    recorder.send(ticket);
    const shim = recorder.connect();
    shim.hello(ticket.ticket);
    assert.equal((await shim.next())?.type, "y", "first it is told to pump without a child");
    const prompt = new AtPrompt(shim, ticket.live.session);
    all.push(prompt);
    await prompt.shows(/> $/);
    return prompt;
  };
  const framesOf = ({ session }: AtPrompt) => [
    ...recordingFrames(readBlocks(`${recorder.spool.path}/${session}`)),
  ];
  const eventsOf = (prompt: AtPrompt): SessionEvent[] =>
    framesOf(prompt)
      .filter(({ kind }) => kind === FrameKind.event)
      .map(({ data }) => JSON.parse(Buffer.from(data).toString()));

  it("runs lines one after another, each on a terminal of its own, and ends with exit", async () => {
    const alice = await open();
    alice.type("echo one\r");
    await alice.shows(/echo one\r\none\r\n[\s\S]*> $/);
    alice.type("echo two\r");
    await alice.shows(/\r\ntwo\r\n[\s\S]*> $/);
    alice.type("exit\r");
    const { end } = await recorder.says("ended", alice.session);
    assert.deepEqual([end.reason, end.exitStatus], ["exited", 0]);
    assert.deepEqual(
      eventsOf(alice).map(({ type }) => type),
      [...["command-started", "command-ended", "command-started", "command-ended"]],
    );
    const shown = framesOf(alice).filter(({ kind }) => kind === FrameKind.output);
    assert.match(Buffer.concat(shown.map(({ data }) => data)).toString(), /one\r\n[\s\S]*two\r\n/);
  });

  it("refuses a line with a caret, and goes on", async () => {
    const alice = await open();
    alice.type("cat /etc/hosts > x\r");
    await alice.shows(
      /Refused: A `>`[\s\S]*\r\ncat \/etc\/hosts > x\r\n {15}\^\r\n[\s\S]*acme-db[\s\S]*dana@company\.test\r\n[\s\S]*> $/,
    );
    alice.type("id\r");
    await alice.shows(/`id` is not one of the commands[\s\S]*> $/);
    assert.equal(alice.starts, 0);
    alice.type("\x04");
    await recorder.says("ended", alice.session);
    assert.deepEqual(
      eventsOf(alice).map((event) => event.type === "command-refused" && [event.line, event.code]),
      [
        ["cat /etc/hosts > x", "shell-syntax"],
        ["id", "command-not-allowed"],
      ],
    );
  });

  it("completes programs, arguments and its own words", async () => {
    const alice = await open();
    alice.type("ca\t/et\t\r");
    await alice.shows(/cat \/etc\/hosts \r\n[\s\S]*localhost[\s\S]*> $/);
    for (const keys of ["st\t", "\t", "\t"]) alice.type(keys);
    await alice.shows(/-a +size/);
    for (const keys of ["\x15hel\t", "st\t", "\r"]) alice.type(keys);
    await alice.shows(/ {2}stty size\|-a\r\n[\s\S]*> $/);
    alice.type("help\r");
    await alice.shows(/cat \/etc\/hosts\r\n {6}The names of hosts\r\n[\s\S]*exit\r\n[\s\S]*> $/);
    alice.type("help me\r");
    await alice.shows(/"me" is not allowed here/);
  });

  it("has a history, and clears a line with Ctrl-C", async () => {
    const alice = await open();
    alice.type("echo first\r");
    await alice.shows(/\r\nfirst\r\n[\s\S]*> $/);
    alice.type("rm everything\x03");
    await alice.shows(/\^C\r\n[\s\S]*> $/);
    alice.type("\x1b[A\r");
    await alice.shows(/\r\nfirst\r\n[\s\S]*> $/);
    assert.equal(alice.starts, 2);
  });

  it("gives what is typed to the program that runs, and Ctrl-C to its terminal", async () => {
    const alice = await open();
    alice.type("cat\r");
    await alice.shows(/cat\r\n/);
    alice.type("echo two\r");
    await alice.shows(/echo two\r\necho two\r\n/);
    alice.type("\x04");
    await alice.shows(/> $/);
    assert.equal(alice.starts, 1);
    alice.type("cat\r");
    await alice.shows(/cat\r\n/);
    alice.type("there\r");
    await alice.shows(/there\r\nthere\r\n/);
    alice.type("\x03");
    await alice.shows(/\^C[\s\S]*> $/);
  });

  it("runs pasted lines in turn, and drops those behind one that is interrupted", async () => {
    const alice = await open();
    alice.type("echo a1\r\nid\necho a2\recho a3\r");
    await alice.shows(/\r\na1\r\n[\s\S]*`id` is not[\s\S]*\r\na2\r\n[\s\S]*\r\na3\r\n[\s\S]*> $/);
    alice.type("cat\recho a4\r");
    await alice.shows(/cat\r\n/);
    alice.type("there\r");
    await alice.shows(/there\r\nthere\r\n/);
    alice.type("\x03");
    await alice.shows(/> $/);
    alice.type("echo a5\r");
    await alice.shows(/\r\na5\r\n/);
    assert.doesNotMatch(alice.text, /a4/);
    assert.equal(alice.starts, 5);
  });

  it("neither stops nor dies of any key", async () => {
    const alice = await open();
    const bob = await open();
    for (let code = 1; code < 256; code++) if (code !== 4) alice.type(`x${String.fromCharCode(code)}`);
    alice.shim.send("i", Buffer.from(Array.from({ length: 255 }, (_, i) => (i === 3 ? 0 : i + 1))));
    alice.type("\x1a\x1b[200~\x1b[201~\x1bOP\x1b[1;5C\x1b]0;t\x07\x1b\x1bx\x03");
    alice.type("echo alive\r");
    await alice.shows(/\r\nalive\r\n/);
    bob.type("echo too\r");
    await bob.shows(/\r\ntoo\r\n/);
    assert.ok(recorder.alive);
  });

  it("lets no key make a line longer than a line may be", async () => {
    const alice = await open();
    // Cut with Ctrl-U, and put back with each Ctrl-Y.
    alice.type("x".repeat(31 * 128));
    alice.type(`\x15${"\x19".repeat(100)}\x01y\r`);
    await alice.shows(/longer than 4096 characters[\s\S]*> $/);
    alice.type("echo after\r");
    await alice.shows(/\r\nafter\r\n[\s\S]*> $/);
    alice.type("exit\r");
    await recorder.says("ended", alice.session);
    const shown = framesOf(alice).filter(({ kind }) => kind === FrameKind.output);
    assert.ok(Buffer.concat(shown.map(({ data }) => data)).length < 50_000);
  });

  it("shows lists that are longer than a frame", async () => {
    const words = Array.from({ length: 150 }, (_, i) => `service-${i}-${"x".repeat(600)}`);
    const long = Array.from({ length: 900 }, (_, i) => ({
      ...{ program: "cat", arguments: [`${i}${"x".repeat(70)}`], description: "y".repeat(200) },
    }));
    const alice = await open([...long, { program: "echo", arguments: [{ oneOf: words }] }]);
    for (const keys of ["echo ", "\t", "\t"]) alice.type(keys);
    await alice.shows(/service-149-/);
    alice.type("\x03help\r");
    await alice.shows(/ {2}exit\r\n[\s\S]*> $/);
    assert.ok(recorder.alive);
  });

  it("refuses a line without end, and keeps none of it", async () => {
    const alice = await open();
    for (let i = 0; i < 20; i++) alice.type("x".repeat(60_000));
    alice.type("\r");
    await alice.shows(/longer than 4096 characters[\s\S]*> $/);
    alice.type("echo after\r");
    await alice.shows(/\r\nafter\r\n/);
    assert.ok(recorder.memory < 400);
  });

  it("waits for a contractor who reads nothing, within bounds", async () => {
    const alice = await open();
    const before = recorder.memory;
    alice.shim.socket.pause();
    for (let i = 0; i < 200; i++) alice.type("help\r".repeat(2000));
    const bob = await open();
    bob.type("echo too\r");
    await bob.shows(/\r\ntoo\r\n/);
    assert.ok(recorder.memory - before < 100, `${recorder.memory - before} MiB`);
    alice.shim.socket.destroy();
  });

  it("ends a command that prints too much, and goes on", async () => {
    const alice = await open();
    alice.type("yes\r");
    await alice.shows(/may print 1000 bytes[\s\S]*> $/);
    assert.deepEqual(alice.signals, [15, 9], "what it left behind ends with it");
    alice.type("echo after\r");
    await alice.shows(/\r\nafter\r\n[\s\S]*> $/);
    alice.type("exit\r");
    const { end } = await recorder.says("ended", alice.session);
    assert.equal(end.reason, "exited");
    assert.ok(eventsOf(alice).some((event) => event.type === "command-ended" && event.limit === "output"));
  });

  it("goes by a changed policy from the next line, and ends without one", async () => {
    const alice = await open();
    alice.type("echo a");
    const grant = commands([{ program: "cat" }]);
    recorder.send({ type: "grant", session: alice.session as never, grant });
    await alice.shows(/echo a/);
    const other = await open();
    other.type("echo x\r");
    await other.shows(/\r\nx\r\n/);
    alice.type("\r");
    await alice.shows(/`echo` is not one of the commands/);
    recorder.send({
      type: "grant",
      session: alice.session as never,
      grant: { ...grant, mode: "files" } as never,
    });
    await alice.shows(/does not allow commands any more/);
    assert.equal((await recorder.says("ended", alice.session)).end.reason, "revoked");
  });

  it("follows the window, in the line and in the program", async () => {
    const alice = await open();
    alice.shim.send("n", Buffer.from("0014003200000000", "hex"));
    alice.type("stty size\r");
    await alice.shows(/\r\n20 50\r\n/);
  });

  it("ends a command once, also one that left something on its terminal", async () => {
    const stay = "trap '' HUP; sleep 5 & exit 3";
    const alice = await open([...RULES, { program: "sh", arguments: ["-c", stay] }]);
    alice.type(`sh -c "${stay}"\recho next\r`);
    await alice.shows(/\r\nnext\r\n[\s\S]*> $/);
    alice.type("echo last\r");
    await alice.shows(/\r\nlast\r\n[\s\S]*> $/);
    alice.type("exit\r");
    assert.equal((await recorder.says("ended", alice.session)).end.reason, "exited");
    assert.deepEqual(
      eventsOf(alice).map((event) => event.type === "command-ended" && event.exitStatus),
      [false, 3, false, 0, false, 0],
    );
  });

  it("leaves what a program printed without a line end", async () => {
    const alice = await open([...RULES, { program: "printf", arguments: [{ matches: ".*" }] }]);
    for (const [printed, shown] of [
      ["abc", /\r\nabc\r\n[\s\S]*> $/],
      ["abc\\n", /\r\nabc\r\ndb-1> $/],
      ["abc\\n\\033[0m", /\r\nabc\r\n.\[0mdb-1> $/],
    ] as const) {
      alice.type(`printf '${printed}'\r`);
      await alice.shows(shown);
    }
  });

  it("shows a warning above what was typed so far", async () => {
    const alice = await open();
    alice.type("echo a");
    await alice.shows(/echo a/);
    recorder.send({ type: "message", session: alice.session as never, text: "\nsallyport: soon\n" });
    await alice.shows(/sallyport: soon\r\n[\s\S]*> echo a/);
    alice.type("b\r");
    await alice.shows(/\r\nab\r\n/);
  });

  it("ends when its shim says that a child ended that was never started", async () => {
    const alice = await open();
    alice.shim.send("w", Buffer.of(0, 0));
    await alice.shim.closed;
    assert.equal((await recorder.says("ended", alice.session)).end.reason, "disconnected");
  });
});
