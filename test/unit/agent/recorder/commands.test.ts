import assert from "node:assert/strict";
import { CommandGrant } from "@sallyport/core/commands/command-rule.ts";
import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import type { SessionGrant } from "@sallyport/core/commands/session-grant.ts";
import { recordingFrames } from "@sallyport/core/recording/chain.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import type { z } from "zod";
import { readBlocks } from "../../uplink/spool/spool.ts";
import { RecorderUnderTest } from "../support/recorder.ts";
import { type ScriptedShim, startField } from "../support/scripted-shim.ts";

const CONTACT = "dana@company.test";

function commands(...rules: z.input<typeof CommandGrant>["rules"] & object): SessionGrant {
  const grant = CommandGrant.parse({ rules });
  return { mode: "commands", commands: [grant], files: [], engagement: "acme-db", contact: CONTACT };
}

const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("a session of an engagement that allows single commands", () => {
  let recorder: RecorderUnderTest;
  beforeEach(async () => {
    recorder = await RecorderUnderTest.start();
  });
  afterEach(() => recorder.close());

  /** A session, and what it is told first. */
  const open = async (grant: SessionGrant, command: string | null, changes = {}) => {
    const ticket = recorder.ticket({ grant, command: command === null ? null : base64(command), ...changes });
    recorder.send(ticket);
    const shim = recorder.connect();
    shim.hello(ticket.ticket);
    return { shim, session: ticket.live.session };
  };
  const started = async (shim: ScriptedShim) => {
    const start = await shim.nextOf("x");
    assert.ok(start !== null, "the session ended instead of starting something");
    return start;
  };
  const framesOf = (session: string) => [...recordingFrames(readBlocks(`${recorder.spool.path}/${session}`))];
  const eventsOf = (session: string): SessionEvent[] =>
    framesOf(session)
      .filter(({ kind }) => kind === FrameKind.event)
      .map(({ data }) => JSON.parse(Buffer.from(data).toString()));
  const told = (session: string) =>
    recorder.said.filter((one) => one.type === "event" && one.session === session);

  it("executes exactly the words that were judged, in a clean environment and the directory of the rule", async () => {
    const grant = commands({
      name: "show",
      program: "cat",
      arguments: [{ matches: ".*" }, "b c"],
      directory: "/usr",
      environment: { LESSSECURE: "1" },
    });
    const { shim, session } = await open(grant, `cat 'a  $(id)' b\\ c`);
    const start = await started(shim);
    assert.match(String(startField(start, "f")), /\/cat$/);
    assert.deepEqual(startField(start, "a").map(String), ["cat", "a  $(id)", "b c"]);
    assert.deepEqual(startField(start, "c").map(String), ["/usr"]);
    assert.equal(startField(start, "E").length, 1);
    assert.deepEqual(
      startField(start, "e")
        .map((one) => String(one).split("=")[0])
        .sort(),
      ["HOME", "LANG", "LESSSECURE", "LOGNAME", "PATH", "SHELL", "USER"],
    );
    shim.send("c");
    shim.send("w", Buffer.of(0, 7));
    await shim.closed;
    const { end } = await recorder.says("ended", session);
    assert.deepEqual([end.reason, end.exitStatus], ["exited", 7]);
    const line = `cat 'a  $(id)' b\\ c`;
    const events = eventsOf(session);
    assert.deepEqual(events[0], { ...events[0], type: "command-started", line, rules: ["show"] });
    assert.deepEqual(events[1], { type: "command-ended", line, exitStatus: 7, signal: null, limit: null });
    assert.equal(told(session).length, 2);
  });

  it("runs allowed commands in a pipe", async () => {
    const grant = commands({ program: "cat", arguments: ["/etc/hosts"] }, { program: "wc", flags: ["-l"] });
    const { shim } = await open(grant, "cat /etc/hosts | wc -l");
    const start = await started(shim);
    assert.equal(startField(start, "|").length, 1);
    assert.deepEqual(startField(start, "a").map(String), ["cat", "/etc/hosts", "wc", "-l"]);
  });

  it("keeps what a rule sets from the other programs of a pipe", async () => {
    const grant = commands(
      { program: "cat", arguments: ["/etc/hosts"], environment: { POSIXLY_CORRECT: "1" } },
      { program: "wc", environment: { POSIXLY_CORRECT: "2", LESSSECURE: "1" } },
    );
    const { shim } = await open(grant, "cat /etc/hosts | wc");
    const start = await started(shim);
    const pipe = start.indexOf("|\0\0\0\0");
    const [first, second] = [start.subarray(0, pipe), start.subarray(pipe)].map((stage) =>
      startField(stage, "e").map(String),
    );
    assert.ok(first?.includes("POSIXLY_CORRECT=1") && first.some((one) => one.startsWith("PATH=")));
    assert.deepEqual(second, ["POSIXLY_CORRECT=2", "LESSSECURE=1"]);
  });

  it("runs a command as another account by sudo, without what would keep sudo from working", async () => {
    const grant = commands({ program: "cat", arguments: ["/etc/shadow"], runAs: "root" });
    const { shim } = await open(grant, "cat /etc/shadow");
    const start = await started(shim);
    assert.deepEqual(startField(start, "f").map(String), ["/usr/bin/sudo"]);
    assert.deepEqual(startField(start, "a").map(String).slice(0, 5), ["sudo", "-n", "-u", "root", "--"]);
    assert.match(String(startField(start, "a")[5]), /^\/.*\/cat$/);
    assert.equal(startField(start, "N").length + startField(start, "L").length, 0);
  });

  const refusals: [what: string, command: string, says: RegExp, code: string][] = [
    ["another command", "id", /`id` is not one of the commands/, "command-not-allowed"],
    ["another argument", "cat /etc/shadow", /\/etc\/shadow/, "argument-not-allowed"],
    ["shell syntax", "cat /etc/hosts; id", /cat \/etc\/hosts; id\r\n {14}\^\r\n/, "shell-syntax"],
    ["a pipe to another command", "cat /etc/hosts | sh", /`sh`/, "command-not-allowed"],
    ["bytes that are no text", "\xff", /is no UTF-8/, "shell-syntax"],
    ["a line too long", `cat ${"x".repeat(5000)}`, /longer than 4096/, "shell-syntax"],
    ["git", "git-receive-pack 'a.git'", /hooks.*mode: shell/, "command-not-allowed"],
    ["VS Code's shell", "bash -s", /VS Code.*mode: shell/, "command-not-allowed"],
    [
      "Ansible's shell",
      "/bin/sh -c 'echo ~deploy && sleep 0'",
      /Ansible.*mode: shell/,
      "command-not-allowed",
    ],
    ["nothing", "  ", /Give a command/, "command-not-allowed"],
  ];
  for (const [what, command, says, code] of refusals) {
    it(`refuses ${what}, recorded, with status 126 and what to do`, async () => {
      const grant = commands({ program: "cat", arguments: ["/etc/hosts"] });
      const bytes = Buffer.from(command, what.startsWith("bytes") ? "latin1" : "utf8").toString("base64");
      const { shim, session } = await open(grant, "", { command: bytes });
      const frames = await shim.rest();
      assert.deepEqual(
        frames.map(({ type }) => type),
        ["t", "z"],
        "nothing was started",
      );
      const text = String(frames[0]?.data);
      assert.match(text, says);
      assert.match(text, /acme-db/);
      assert.match(text, /dana@company\.test\r\n$/);
      if (what !== "nothing") assert.match(text, /\r\n {2}cat \/etc\/hosts\r\n/);
      assert.deepEqual([...(frames[1]?.data ?? [])], [0, 126]);
      const { end } = await recorder.says("ended", session);
      assert.deepEqual([end.reason, end.exitStatus], ["refused", 126]);
      const [event] = eventsOf(session);
      assert.equal(event?.type === "command-refused" && event.code, code);
      assert.ok(framesOf(session).some(({ kind }) => kind === FrameKind.message));
      assert.equal(told(session).length, 1);
    });
  }

  it("says how to get a prompt where there is neither a command nor a terminal", async () => {
    const grant = commands({ program: "cat" });
    const ticket = recorder.ticket({ grant, command: base64("") });
    const live = { ...ticket.live, start: { ...ticket.live.start, command: null } };
    recorder.send({ ...ticket, live, command: null });
    const shim = recorder.connect();
    shim.hello(ticket.ticket);
    assert.match(String(await shim.nextOf("t")), /ssh -t /);
  });

  it("ends a command that runs too long: asked first, made to later, with a reason", async () => {
    const { shim, session } = await open(
      commands({ program: "sleep", arguments: ["9"], timeLimit: 1 }),
      "sleep 9",
    );
    await started(shim);
    shim.send("c");
    assert.deepEqual([...((await shim.nextOf("k")) ?? [])], [15]);
    assert.match(String(await shim.nextOf("t")), /may run 1 s/);
    assert.deepEqual([...((await shim.nextOf("k")) ?? [])], [9]);
    shim.send("w", Buffer.of(1, 9));
    await shim.closed;
    const { end } = await recorder.says("ended", session);
    assert.deepEqual([end.reason, end.exitStatus], ["time-limit", null]);
    const [, ended] = eventsOf(session);
    assert.equal(ended?.type === "command-ended" && ended.limit, "time");
  });

  it("shows and records as much output as may be printed, and not one byte more", async () => {
    const { shim, session } = await open(commands({ program: "yes", outputLimit: 10 }), "yes");
    await started(shim);
    shim.send("c");
    shim.send("o", Buffer.from("12345678"));
    shim.send("e", Buffer.from("9"));
    assert.equal((await shim.nextOf("a"))?.toString("hex"), "0000000800000001");
    shim.send("o", Buffer.from("0abc"));
    assert.equal((await shim.nextOf("a"))?.toString("hex"), "0000000100000000");
    assert.deepEqual([...((await shim.nextOf("k")) ?? [])], [15]);
    assert.match(String(await shim.nextOf("t")), /may print 10 bytes/);
    shim.send("o", Buffer.from("more"));
    shim.send("w", Buffer.of(1, 15));
    assert.deepEqual(
      (await shim.rest()).map(({ type }) => type),
      ["k", "z"],
      "what it left behind is killed",
    );
    const { end } = await recorder.says("ended", session);
    assert.equal(end.reason, "output-limit");
    const shown = framesOf(session).filter(
      ({ kind }) => kind === FrameKind.output || kind === FrameKind.error,
    );
    assert.equal(Buffer.concat(shown.map(({ data }) => data)).toString(), "1234567890");
  });

  it("goes on without a flood that neither ends nor can be shown", async () => {
    const { shim, session } = await open(commands({ program: "yes", outputLimit: 1 }), "yes");
    await started(shim);
    shim.send("c");
    const began = Date.now();
    for (let i = 0; i < 6; i++) shim.send("o", Buffer.alloc(60_000));
    const { end } = await recorder.says("ended", session);
    assert.equal(end.reason, "output-limit");
    assert.ok(Date.now() - began < 4000);
  });

  it("ends a command that a changed policy does not allow any more, and a shell", async () => {
    const grant = commands({ program: "sleep", arguments: ["9"] });
    const command = await open(grant, "sleep 9");
    await started(command.shim);
    recorder.send({ type: "grant", session: command.session, grant });
    recorder.send({ type: "grant", session: command.session, grant: commands({ program: "cat" }) });
    assert.deepEqual([...((await command.shim.nextOf("k")) ?? [])], [15]);
    command.shim.send("w", Buffer.of(1, 15));
    assert.equal((await recorder.says("ended", command.session)).end.reason, "revoked");

    const shell = await recorder.begin();
    recorder.send({ type: "grant", session: shell.session, grant: { mode: "shell" } });
    recorder.send({ type: "grant", session: shell.session, grant });
    assert.match(String(await shell.shim.nextOf("t")), /does not allow a shell any more/);
    assert.equal((await recorder.says("ended", shell.session)).end.reason, "revoked");
  });

  it("lets nothing be run where only files may be moved, with a terminal or without", async () => {
    const directories = [{ path: "/srv", access: "read" as const, maxFileSize: null }];
    const grant = {
      ...commands({ program: "cat" }),
      ...{ mode: "files", files: [{ protocols: ["sftp"], directories }] },
    } as SessionGrant;
    for (const command of [
      null,
      "cat",
      "scp -t /srv",
      "/usr/lib/openssh/sftp-server -d /",
      "rsync --server . /srv",
    ]) {
      const { shim, session } = await open(grant, command);
      const frames = await shim.rest();
      assert.deepEqual(
        frames.map(({ type }) => type),
        ["t", "z"],
        `${command}`,
      );
      assert.match(
        String(frames[0]?.data),
        /lets files be moved on db-1, and nothing be run[\s\S]*"sftp db-1"/,
      );
      assert.equal((await recorder.says("ended", session)).end.reason, "refused");
    }
  });
});
