import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { blockLengthAt } from "@sallyport/core/recording/block.ts";
import { recordingFrames, splitBlocks, verifyRecording } from "@sallyport/core/recording/chain.ts";
import { endRecordOf } from "@sallyport/core/recording/export.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import { BLOCKS_FILE, openBlockPath } from "@sallyport/uplink/spool/layout.ts";
import { encoded, framesOf, leaveBehind, line } from "./left-behind.ts";
import {
  descriptorsBelow,
  END,
  hostKeys,
  makeSmallSpool,
  makeSpool,
  newSession,
  openFiles,
  readBlocks,
  recordedOutput,
  recover,
  type Spool,
  startWriting,
} from "./spool.ts";

const lines = (count: number): string =>
  Array.from({ length: count }, (_, index) => `line ${index + 1}\n`).join("");

/** Every file of a directory with its bytes. */
function snapshot(directory: string): [string, string][] {
  return readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), "hex")]);
}

describe("a recording whose recorder is lost", () => {
  let spool: Spool;
  beforeEach(() => {
    spool = makeSpool();
  });
  afterEach(() => {
    assert.deepEqual(descriptorsBelow(spool.path), []);
    spool.remove();
  });

  it("is closed with all of its frames and an end record at the time of the last one", () => {
    const { session, directory } = leaveBehind(spool.path, 2);
    assert.deepEqual(recover(spool.path, session), { sealed: 2, discarded: 0 });
    assert.equal(verifyRecording(readBlocks(directory), hostKeys.publicKey).complete, true);
    assert.equal(recordedOutput(directory).toString(), lines(6));
    const end = endRecordOf([...recordingFrames(readBlocks(directory))].at(-1));
    assert.deepEqual([end.reason, end.exitStatus, end.endedAt], ["recorder-lost", null, 1_760_436_000_006]);
    assert.deepEqual(openFiles(directory), []);
  });

  it("is the same when it is recovered twice: the second time there is nothing to do", () => {
    const { session, directory } = leaveBehind(spool.path, 1, [1, 2]);
    assert.equal(recover(spool.path, session)?.sealed, 3);
    const before = snapshot(directory);
    assert.equal(recover(spool.path, session), null);
    assert.deepEqual(snapshot(directory), before);
  });

  const states: [what: string, sealed: number, open: number[], lines: number][] = [
    ["nothing sealed yet", 0, [0], 0],
    ["nothing sealed, three raw blocks", 0, [0, 1, 2], 6],
    ["raw frames of blocks that are sealed but were not synced", 3, [1, 2, 3], 9],
    ["only raw frames of sealed blocks", 3, [2], 6],
    ["no raw frames at all", 3, [], 6],
  ];
  for (const [what, sealed, open, count] of states) {
    it(`is closed: ${what}`, () => {
      const { session, directory } = leaveBehind(spool.path, sealed, open);
      assert.ok(recover(spool.path, session));
      assert.equal(recordedOutput(directory).toString(), lines(count));
      assert.equal(verifyRecording(readBlocks(directory), hostKeys.publicKey).complete, true);
      assert.deepEqual(openFiles(directory), []);
    });
  }

  it("is closed when one file has the raw frames of several blocks, some of them sealed", () => {
    for (const sealed of [0, 1, 2, 3, 4]) {
      const { session, directory } = leaveBehind(spool.path, sealed, []);
      const raw = (...sequences: number[]) =>
        encoded(...sequences.flatMap((sequence) => framesOf(session, sequence)));
      if (sealed < 3) writeFileSync(openBlockPath(directory, 0), raw(0, 1, 2));
      writeFileSync(openBlockPath(directory, 3), raw(3, 4));
      assert.ok(recover(spool.path, session));
      assert.equal(recordedOutput(directory).toString(), lines(12), `${sealed} sealed`);
      assert.equal(verifyRecording(readBlocks(directory), hostKeys.publicKey).complete, true);
    }
  });

  it("is closed in blocks of the usual size, however much is left", () => {
    const { session, directory } = leaveBehind(spool.path, 1, []);
    const data = Array.from({ length: 40 }, () => randomBytes(30_000));
    const frames = data.map((bytes, index) => ({ kind: FrameKind.output, time: index, data: bytes }));
    writeFileSync(openBlockPath(directory, 0), encoded(...framesOf(session, 0), ...frames));
    recover(spool.path, session);
    assert.deepEqual(recordedOutput(directory), Buffer.concat(data));
    const sizes = [...splitBlocks(readBlocks(directory))].map((block) => block.frameCount);
    assert.deepEqual(sizes, [1, ...Array(13).fill(3), 1, 1]);
  });

  it("that was closed is left alone, but for raw frames that had not been removed", async () => {
    const { writer, directory } = startWriting(spool.path);
    writer.write(FrameKind.output, randomBytes(100_000));
    await writer.end(END);
    const before = snapshot(directory);
    assert.equal(recover(spool.path, writer.session), null);
    assert.deepEqual(snapshot(directory), before);
    writeFileSync(openBlockPath(directory, 2), "left");
    assert.equal(recover(spool.path, writer.session), null);
    assert.deepEqual(snapshot(directory), before);
  });

  it("keeps the end record that was written but not sealed, and gets no second one", () => {
    const { session, directory } = leaveBehind(spool.path, 2);
    const end = { kind: FrameKind.end, time: 9000, data: Buffer.from(JSON.stringify(END)) };
    appendFileSync(openBlockPath(directory, 2), encoded(end));
    assert.deepEqual(recover(spool.path, session), { sealed: 1, discarded: 0 });
    const frames = [...recordingFrames(readBlocks(directory))];
    assert.deepEqual(endRecordOf(frames.at(-1)), END);
    assert.equal(frames.filter(({ kind }) => kind === FrameKind.end).length, 1);
    assert.equal(verifyRecording(readBlocks(directory), hostKeys.publicKey).complete, true);
  });

  it("loses only a frame that was cut off, and says how much that was", () => {
    const { session, directory } = leaveBehind(spool.path, 2);
    appendFileSync(openBlockPath(directory, 2), encoded(line(7)).subarray(0, -3));
    assert.deepEqual(recover(spool.path, session), { sealed: 2, discarded: encoded(line(7)).length - 3 });
    assert.equal(recordedOutput(directory).toString(), lines(6));
  });

  it("is closed after a power cut: zeros at the end of its files, and raw frames missing in between", () => {
    const { session, directory, blocks } = leaveBehind(spool.path, 2, [1, 2, 3, 4]);
    truncateSync(openBlockPath(directory, 2), 0);
    truncateSync(openBlockPath(directory, 3), 0);
    appendFileSync(openBlockPath(directory, 4), Buffer.alloc(300));
    appendFileSync(join(directory, BLOCKS_FILE), Buffer.alloc(5000));
    const recovered = recover(spool.path, session);
    assert.equal(recovered?.discarded, 5300);
    assert.equal(recordedOutput(directory).toString(), `${lines(3)}line 10\nline 11\nline 12\n`);
    assert.deepEqual([...splitBlocks(readBlocks(directory))][1]?.hash, blocks[1]?.hash);
  });

  it("has its blocks sealed by the host's key, so that whoever verifies need not know of the crash", () => {
    const { session, directory } = leaveBehind(spool.path, 0, [0]);
    recover(spool.path, session);
    assert.equal(verifyRecording(readBlocks(directory), hostKeys.publicKey).blocks, 2);
  });
});

describe("a recording whose recovery is interrupted", () => {
  it("has each frame once, also after a power cut that lost some in between", () => {
    const small = makeSmallSpool("size=400k");
    try {
      const { session, directory } = leaveBehind(small.path, 1, [1]);
      truncateSync(openBlockPath(directory, 1), 0);
      const noise = [40_000, 60_000].map((size) => randomBytes(size));
      for (const [index, data] of noise.entries()) {
        const frame = { kind: FrameKind.output, time: 5000 + index, data };
        writeFileSync(openBlockPath(directory, index + 2), encoded(frame));
      }
      // Of the disk's 100 pages 26 are taken; this leaves 15. Sealing takes 10 for the first of them, and 15 for the second.
      const ballast = join(small.path, "ballast");
      writeFileSync(ballast, Buffer.alloc(59 * 4096));
      assert.throws(() => recover(small.path, session), { code: "ENOSPC" });
      assert.equal(recordedBlocks(directory), 2);
      rmSync(ballast);
      recover(small.path, session);
      assert.deepEqual(recordedOutput(directory), Buffer.concat(noise));
      assert.equal(verifyRecording(readBlocks(directory), hostKeys.publicKey).complete, true);
      assert.deepEqual(openFiles(directory), []);
    } finally {
      small.remove();
    }
  });
});

/** How many whole blocks there are. */
function recordedBlocks(directory: string): number {
  const bytes = readBlocks(directory);
  let count = 0;
  for (let at = 0; ; count++) {
    const length = blockLengthAt(bytes, at);
    if (length === undefined || at + length > bytes.length) return count;
    at += length;
  }
}

describe("a recording that makes no sense", () => {
  let spool: Spool;
  beforeEach(() => {
    spool = makeSpool();
  });
  afterEach(() => {
    assert.deepEqual(descriptorsBelow(spool.path), []);
    spool.remove();
  });

  /** Recovery refuses it, and leaves it as it is. */
  function refused(session: ReturnType<typeof newSession>, code: string | RegExp): void {
    const directory = join(spool.path, session);
    const before = snapshot(directory);
    assert.throws(
      () => recover(spool.path, session),
      (error: Error & { code: string }) =>
        error.name === "SallyportError" && new RegExp(code).test(error.code),
    );
    assert.deepEqual(snapshot(directory), before);
  }

  it("is refused with any one byte of its synced blocks altered, and nothing of it is cut off", () => {
    const { session, directory, blocks } = leaveBehind(spool.path, 3);
    const good = readBlocks(directory);
    const ends = blocks.map(
      (_, index) => Buffer.concat(blocks.slice(0, index + 1).map((block) => block.bytes)).length,
    );
    for (let at = 0; at < good.length; at++) {
      // The signatures but the last are left for the control plane to check.
      if (ends.slice(0, -1).some((end) => at >= end - 64 && at < end)) continue;
      const bad = Buffer.from(good);
      bad[at] = (bad[at] ?? 0) ^ 0xff;
      writeFileSync(join(directory, BLOCKS_FILE), bad);
      refused(session, /^recording-/);
    }
  });

  it("is refused when synced blocks are cut off", () => {
    const { session, directory } = leaveBehind(spool.path, 3);
    for (let cut = readBlocks(directory).length - 1; cut >= 0; cut--) {
      truncateSync(join(directory, BLOCKS_FILE), cut);
      refused(session, /^recording-/);
    }
  });

  it("is refused with another recording's blocks", () => {
    const other = leaveBehind(spool.path, 3);
    const { session, directory } = leaveBehind(spool.path, 3);
    writeFileSync(join(directory, BLOCKS_FILE), readBlocks(other.directory));
    refused(session, "recording-broken-chain");
  });

  it("is refused with something behind its end", async () => {
    const { writer, directory } = startWriting(spool.path);
    await writer.end(END);
    appendFileSync(join(directory, BLOCKS_FILE), "x");
    refused(writer.session, "recording-malformed");
  });

  const raw: [what: string, bytes: Uint8Array][] = [
    ["noise", Buffer.alloc(100, 0xff)],
    ["a frame without a kind", Buffer.concat([encoded(line(7)), Buffer.of(0, 1, 1, 65)])],
    ["a frame over 64 KiB", Buffer.from("0201818004", "hex")],
  ];
  for (const [what, bytes] of raw) {
    it(`is refused with raw frames that are ${what}`, () => {
      const { session, directory } = leaveBehind(spool.path, 2);
      writeFileSync(openBlockPath(directory, 2), bytes);
      refused(session, "recording-malformed");
    });
  }

  it("is refused when it never had a start record: nothing was shown", () => {
    const nothing = newSession();
    mkdirSync(join(spool.path, nothing));
    assert.throws(() => recover(spool.path, nothing), { code: "recording-malformed" });
    assert.throws(() => recover(spool.path, nothing), { code: "recording-malformed" });
    const { session, directory } = leaveBehind(spool.path, 0, [0]);
    truncateSync(openBlockPath(directory, 0), 10);
    refused(session, "recording-malformed");
    writeFileSync(openBlockPath(directory, 0), encoded(line(1)));
    refused(session, "recording-malformed");
  });

  it("is not taken for one when only the disk is at fault", () => {
    const { session, directory } = leaveBehind(spool.path, 1);
    rmSync(join(directory, BLOCKS_FILE));
    mkdirSync(join(directory, BLOCKS_FILE));
    assert.throws(() => recover(spool.path, session), { code: "EISDIR" });
    assert.ok(existsSync(openBlockPath(directory, 1)));
  });
});
