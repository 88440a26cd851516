import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { closeSync, constants, openSync, readdirSync, readFileSync, statSync } from "node:fs";
import type { Duplex } from "node:stream";
import { recordingFrames } from "@sallyport/core/recording/chain.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import { readBlocks, recordedOutput } from "../../uplink/spool/spool.ts";
import { RecorderUnderTest } from "../support/recorder.ts";
import { type ReceivedFrame, type ScriptedShim, startField } from "../support/scripted-shim.ts";
import { within } from "../support/within.ts";

/** More than every buffer between a program and a stalled contractor. */
const MUCH = 24 * 1024 * 1024;
/** What a recorder may grow by for one session that is stalled, in MiB. */
const GROWTH = 24;

describe("a session on a terminal", () => {
  let recorder: RecorderUnderTest;
  let shells: ChildProcess[];
  beforeEach(async () => {
    recorder = await RecorderUnderTest.start();
    shells = [];
  });
  afterEach(async () => {
    for (const shell of shells) {
      shell.kill("SIGKILL");
      (shell.stdio[3] as Duplex).destroy();
    }
    await recorder.close();
  });

  /** What the shim does: starts a program on the session's terminal and says so. */
  const run = (start: Buffer, shim: ScriptedShim, script: string): ChildProcess => {
    const path = String(startField(start, "t")[0]);
    const slave = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
    const shell = spawn("setsid", ["--ctty", "sh", "-c", script], { stdio: [slave, slave, slave, "pipe"] });
    closeSync(slave);
    shells.push(shell);
    shim.send("c");
    shell.on("exit", (status, signal) =>
      shim.send("w", signal === null ? Buffer.of(0, status ?? 0) : Buffer.of(1, 9)),
    );
    return shell;
  };
  const shown = (frames: ReceivedFrame[]) =>
    Buffer.concat(frames.filter(({ type }) => type === "d").map(({ data }) => data));
  const frames = (directory: string) => [...recordingFrames(readBlocks(directory))];

  it("is told to start the account's shell on a terminal that is the account's", async () => {
    const { start } = await recorder.begin({ uid: 1234, gid: 5, shell: "/bin/bash" });
    const [path = ""] = startField(start, "t").map(String);
    const { uid, gid, mode } = statSync(path);
    assert.deepEqual([uid, gid, mode & 0o777], [1234, 5, 0o620]);
    assert.deepEqual(startField(start, "f").map(String), ["/bin/bash"]);
    assert.deepEqual(startField(start, "a").map(String), ["-bash"]);
    assert.deepEqual(startField(start, "e").map(String), ["SHELL=/bin/bash", `SSH_TTY=${path}`]);
  });

  it("shows all of its output, recorded, however much is in flight when the shell ends", async () => {
    const { shim, start, session, directory } = await recorder.begin();
    run(start, shim, "head -c 300000 /dev/zero | tr '\\0' x; exit 3");
    const all = await shim.rest();
    const ended = await recorder.says("ended", session);
    assert.deepEqual([ended.end.exitStatus, ended.end.reason], [3, "exited"]);
    assert.deepEqual(all.at(-1), { type: "z", data: Buffer.of(0, 3) });
    assert.equal(shown(all).length, 300_000);
    assert.deepEqual(shown(all), recordedOutput(directory));
  });

  it("stalls with a contractor who stalls, within bounds, and loses nothing", async () => {
    const { shim, start, session } = await recorder.begin();
    const before = recorder.memory;
    shim.socket.pause();
    const shell = run(start, shim, `stty -opost; echo >&3; head -c ${MUCH} /dev/zero`);
    const writer = () =>
      Number(/^wchar: (\d+)/m.exec(readFileSync(`/proc/${headOf(shell)}/io`, "utf8"))?.[1]);
    await once(shell.stdio[3] as Duplex, "data");
    await atRest(writer);
    assert.ok(writer() < MUCH / 4, `${writer()} bytes written while nobody reads`);
    assert.ok(recorder.memory - before < GROWTH, `${recorder.memory - before} MiB`);
    shim.socket.resume();
    const all = await shim.rest();
    assert.equal(shown(all).length, MUCH);
    assert.ok(recorder.memory - before < 2 * GROWTH, `${recorder.memory - before} MiB`);
    assert.equal((await recorder.says("ended", session)).end.exitStatus, 0);
  });

  it("holds input back while its program reads none, within bounds, and loses nothing", async () => {
    const { shim, start, directory, session } = await recorder.begin();
    const before = recorder.memory;
    const shell = run(start, shim, "stty raw -echo; echo >&3; read -r go <&3; head -c 4000000 | md5sum");
    await once(shell.stdio[3] as Duplex, "data");
    const typed = Buffer.alloc(4_000_000, "typed ahead ");
    for (let at = 0; at < typed.length; at += 32_768) shim.send("i", typed.subarray(at, at + 32_768));
    await atRest(() => shim.socket.writableLength);
    assert.ok(shim.socket.writableLength > 3_000_000, "the shim is made to wait");
    assert.ok(recorder.memory - before < GROWTH, `${recorder.memory - before} MiB`);
    (shell.stdio[3] as Duplex).write("go\n");
    assert.match(String(shown(await shim.rest())), new RegExp(createHash("md5").update(typed).digest("hex")));
    await recorder.says("ended", session);
    const input = frames(directory).filter(({ kind }) => kind === FrameKind.input);
    assert.deepEqual(Buffer.concat(input.map(({ data }) => data)), typed);
  });

  it("ends with its shell though input still waits for a reader", async () => {
    const { shim, start, session } = await recorder.begin();
    const shell = run(start, shim, "stty raw -echo; echo >&3; exec sleep 100");
    await once(shell.stdio[3] as Duplex, "data");
    for (let i = 0; i < 20; i++) shim.send("i", Buffer.alloc(32_768, "x"));
    await atRest(() => shim.socket.writableLength);
    shell.kill("SIGKILL");
    assert.deepEqual((await shim.rest()).at(-1), { type: "z", data: Buffer.of(1, 9) });
    assert.equal((await recorder.says("ended", session)).end.signal, "SIGKILL");
  });

  it("leaves no descriptor behind, however it ended", async () => {
    const open = () => readdirSync(`/proc/${recorder.pid}/fd`).length;
    const before = open();
    for (const end of ["shell", "agent", "agent, input waiting", "shim"]) {
      const { shim, start, session } = await recorder.begin();
      const shell = run(start, shim, "stty raw -echo; echo >&3; exec sleep 100");
      await once(shell.stdio[3] as Duplex, "data");
      if (end === "agent, input waiting") {
        for (let i = 0; i < 20; i++) shim.send("i", Buffer.alloc(32_768, "x"));
        await atRest(() => shim.socket.writableLength);
      }
      if (end === "shell") shell.kill("SIGKILL");
      else if (end === "shim") shim.socket.destroy();
      else recorder.send({ type: "end", session, reason: "revoked", detail: "", text: "bye\n" });
      await shim.rest();
      shim.socket.destroy();
      await recorder.says("ended", session);
      await within(2000, `all closed after the ${end}`, () => open() <= before);
    }
  });

  it("ends though something keeps its terminal, once that is quiet", async () => {
    const { shim, start } = await recorder.begin();
    run(start, shim, "trap '' HUP; { read -r _ <&3 & } ; for i in 1 2 3; do echo $i; done; exit 0");
    const all = await shim.rest();
    assert.equal(String(shown(all)), "1\r\n2\r\n3\r\n");
    assert.deepEqual(all.at(-1), { type: "z", data: Buffer.of(0, 0) });
  });

  for (const [type, data] of [
    ["o", Buffer.from("output that did not pass the recorder")],
    ["w", Buffer.from("x")],
    ["n", Buffer.alloc(7)],
    ["h", Buffer.alloc(40)],
  ] as const) {
    it(`ends when its shim says ${type}`, async () => {
      const { shim, session } = await recorder.begin();
      shim.send(type, data);
      await shim.rest();
      assert.equal((await recorder.says("ended", session)).end.reason, "disconnected");
    });
  }

  /** The process that `head` is, below a shell of ours. */
  const headOf = (shell: ChildProcess) =>
    readFileSync(`/proc/${shell.pid}/task/${shell.pid}/children`, "utf8").trim().split(" ").at(-1) ||
    shell.pid;
});

/** Waits until a number has not changed for a while. */
async function atRest(number: () => number): Promise<void> {
  let [last, since] = [Number.NaN, 0];
  await within(15_000, "at rest", () => {
    const now = number();
    if (now !== last) [last, since] = [now, performance.now()];
    return performance.now() - since > 300;
  });
}
