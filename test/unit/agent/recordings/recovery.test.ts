import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { bootId } from "@sallyport/agent/kernel/boot-id.ts";
import { processStat } from "@sallyport/agent/kernel/processes.ts";
import { ownerText } from "@sallyport/agent/recordings/owner.ts";
import {
  type RecoveryContext,
  recover,
  recoverForgotten,
  recoverLost,
  recoverOrphans,
} from "@sallyport/agent/recordings/recovery.ts";
import { BLOCK_HEAD_LENGTH } from "@sallyport/core/recording/block.ts";
import { recordingFrames, verifyRecording } from "@sallyport/core/recording/chain.ts";
import { endRecordOf } from "@sallyport/core/recording/export.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import { BLOCKS_FILE, OWNER_FILE, openBlockPath } from "@sallyport/uplink/spool/layout.ts";
import sinon from "sinon";
import { encoded, type LeftBehind, leaveBehind } from "../../uplink/spool/left-behind.ts";
import { hostKeys, makeSmallSpool, newSession, readBlocks, remount } from "../../uplink/spool/spool.ts";
import { temporaryDirectory } from "../support/temporary.ts";

describe("recordings of recorders that are gone", () => {
  const directory = temporaryDirectory();
  let context: RecoveryContext & { spool: string };
  let closed: string[];
  let damaged: { recording: string; error: string; stuck: boolean }[];
  let delayed: string[];
  let room: boolean;
  let connected: number[];
  let clock: sinon.SinonFakeTimers | undefined;

  beforeEach(() => {
    [closed, damaged, delayed, room, connected, clock] = [[], [], [], true, [process.pid], undefined];
    context = makeContext(directory.file("spool"));
    mkdirSync(context.spool);
  });
  afterEach(() => clock?.restore());

  const makeContext = (spool: string): RecoveryContext => ({
    spool,
    rejected: join(spool, "rejected"),
    hostKey: hostKeys.privateKey,
    onClosed: (recording) => closed.push(recording),
    onDamaged: (recording, error, stuck) =>
      damaged.push({ recording, error: String(error), stuck: stuck !== undefined }),
    onDelayed: (recording) => delayed.push(recording),
    hasRoom: () => room,
    isConnected: ({ pid }) => connected.includes(pid),
  });
  const owned = (left: LeftBehind, owner: string): LeftBehind => {
    writeFileSync(join(left.directory, OWNER_FILE), owner);
    return left;
  };
  const us = () => processStat(process.pid) ?? assert.fail("no /proc");
  const endOf = (where: string) => endRecordOf([...recordingFrames(readBlocks(where))].at(-1));

  it("are closed with an end record, and verify", async () => {
    const left = owned(leaveBehind(context.spool, 2), JSON.stringify({ pid: 2 ** 22, startTime: 1 }));
    await recoverOrphans(context);
    assert.deepEqual(closed, [left.session]);
    assert.equal(endOf(left.directory).reason, "recorder-lost");
    assert.ok(verifyRecording(readBlocks(left.directory), hostKeys.publicKey).complete);
  });

  it("are closed after a reboot, though a process of their recorder's number and start time lives", async () => {
    const owner = { ...JSON.parse(ownerText(us())), boot: "0b3e3fd2-0000-4000-8000-000000000000" };
    const left = owned(leaveBehind(context.spool, 1), JSON.stringify(owner));
    await recoverOrphans(context);
    assert.deepEqual(closed, [left.session]);
    assert.equal(endOf(left.directory).reason, "rebooted");
  });

  it("are not those of one that lives", async () => {
    assert.match(bootId(), /^[0-9a-f-]{36}$/);
    const left = owned(leaveBehind(context.spool, 1), ownerText(us()));
    const before = readBlocks(left.directory);
    await recoverOrphans(context);
    assert.deepEqual(closed, []);
    assert.deepEqual(readBlocks(left.directory), before);
  });

  it("are closed when one dies that had lived, and never came", async () => {
    clock = sinon.useFakeTimers({ toFake: ["setTimeout"] });
    connected = [];
    const recorder = spawn("sleep", ["1000"]);
    const its = processStat(recorder.pid ?? 0) ?? assert.fail("it does not run");
    const left = owned(leaveBehind(context.spool, 1), ownerText(its));
    await recoverOrphans(context);
    clock.tick(5_000);
    assert.deepEqual(closed, []);
    const ended = once(recorder, "close");
    recorder.kill("SIGKILL");
    await ended;
    clock.tick(1_000);
    assert.deepEqual(closed, [left.session]);
    assert.equal(endOf(left.directory).reason, "recorder-lost");
  });

  describe("that lives, and holds them no more,", () => {
    it("are closed, but not one that it says a moment later to have begun", async () => {
      clock = sinon.useFakeTimers({ toFake: ["setTimeout"] });
      const [over, begun] = [leaveBehind(context.spool, 1), leaveBehind(context.spool, 1)];
      for (const left of [over, begun]) owned(left, ownerText(us()));
      const held = new Set<string>();
      recoverForgotten(context, us(), () => held);
      held.add(begun.session);
      const before = readBlocks(begun.directory);
      clock.tick(1_000);
      for (let i = 0; i < 3; i++) await new Promise(setImmediate);
      assert.deepEqual(closed, [over.session]);
      assert.deepEqual(readBlocks(begun.directory), before);
    });
  });

  it("are closed when it dies, also one that it had not told of", () => {
    const [told, untold, of] = [1, 2, 3].map(() => leaveBehind(context.spool, 1));
    assert.ok(told && untold && of);
    const dead = { pid: 2 ** 22, startTime: 1 };
    for (const left of [told, untold]) owned(left, ownerText(dead));
    owned(of, ownerText(us()));
    recoverLost(context, dead, [told.session]);
    assert.deepEqual(closed, [told.session, untold.session]);
  });

  it("are not one that begins at this moment, without an owner yet", async () => {
    const session = newSession();
    mkdirSync(join(context.spool, session));
    await recoverOrphans(context);
    assert.deepEqual(damaged, []);
    assert.ok(existsSync(join(context.spool, session)));
  });

  it("are set aside when they make no sense, told once, and the others are closed", async () => {
    const [sick, well] = [leaveBehind(context.spool, 3, []), leaveBehind(context.spool, 3)];
    for (const left of [sick, well]) owned(left, JSON.stringify({ pid: 2 ** 22, startTime: 1 }));
    const bytes = readBlocks(sick.directory);
    bytes.writeUInt8(bytes.readUInt8(BLOCK_HEAD_LENGTH + 9) ^ 1, BLOCK_HEAD_LENGTH + 9);
    writeFileSync(join(sick.directory, BLOCKS_FILE), bytes);
    writeFileSync(join(context.spool, "junk"), "no recording");
    mkdirSync(join(context.spool, "ses_junk"));
    await recoverOrphans(context);
    assert.deepEqual(closed, [well.session]);
    assert.deepEqual(
      damaged.map(({ recording, stuck }) => ({ recording, stuck })),
      [{ recording: sick.session, stuck: false }],
    );
    assert.deepEqual(readBlocks(join(context.rejected, sick.session)), bytes);
    await recoverOrphans(context);
    assert.equal(damaged.length, 1);
  });

  it("are set aside when one of their name is there already, and both are kept", async () => {
    const sick = leaveBehind(context.spool, 0, []);
    cpSync(sick.directory, join(context.rejected, sick.session), { recursive: true });
    recover(context, sick.session, "recorder-lost");
    assert.deepEqual(readdirSync(context.rejected).sort(), [sick.session, `${sick.session}.1`]);
  });

  it("are left where they are, and told, when even that cannot be done", () => {
    const sick = leaveBehind(context.spool, 0, []);
    writeFileSync(context.rejected, "no directory");
    recover(context, sick.session, "recorder-lost");
    assert.deepEqual(
      damaged.map(({ stuck }) => stuck),
      [true],
    );
    assert.ok(existsSync(sick.directory));
  });

  it("are set aside after three attempts when they cannot be read", () => {
    const session = newSession();
    writeFileSync(join(context.spool, session), "a file, not a directory");
    utimesSync(join(context.spool, session), 1, 1);
    clock = sinon.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    recover(context, session, "recorder-lost");
    clock.tick(5_000);
    assert.equal(damaged.length, 0);
    clock.tick(10_000);
    assert.match(JSON.stringify(damaged), /ENOTDIR/);
    clock.tick(10 * 60_000);
    assert.equal(damaged.length, 1);
    assert.equal(readFileSync(join(context.rejected, session), "utf8"), "a file, not a directory");
  });

  it("wait while the disk is full, told once, and are closed when there is room", () => {
    const disk = makeSmallSpool("size=64k");
    try {
      context = makeContext(disk.path);
      const left = leaveBehind(disk.path, 2);
      const noise = { kind: FrameKind.output, time: 1e6, data: randomBytes(8_000) };
      appendFileSync(openBlockPath(left.directory, 2), encoded(noise));
      fill(join(disk.path, "filler"));
      clock = sinon.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      recover(context, left.session, "spool-failed");
      room = false;
      clock.tick(60 * 60_000);
      assert.deepEqual([closed, damaged, delayed], [[], [], [left.session]]);
      remount(disk.path, "size=1m");
      room = true;
      clock.tick(5_000);
      assert.deepEqual(closed, [left.session]);
      assert.equal(endOf(left.directory).reason, "spool-failed");
    } finally {
      disk.remove();
    }
  });
});

function fill(path: string): void {
  assert.throws(() => {
    for (;;) writeFileSync(path, Buffer.alloc(1024), { flag: "a" });
  }, /ENOSPC/);
}
