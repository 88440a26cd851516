import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { appendFileSync, cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { splitBlocks, verifyRecording } from "@sallyport/core/recording/chain.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import { BLOCKS_FILE } from "@sallyport/uplink/spool/layout.ts";
import type { RecordingWriter } from "@sallyport/uplink/spool/recording-writer.ts";
import { seekBlock } from "@sallyport/uplink/upload/block-file.ts";
import sinon from "sinon";
import {
  hostKeys,
  makeSpool,
  newSession,
  openFiles,
  readBlocks,
  recordedOutput,
  recover,
  type Spool,
  startWriting,
} from "./spool.ts";

/** Length of the test in milliseconds of a clock that is ours, a line in each step, a tick as the recorder has them. */
const LENGTH = 6_000;
const STEP = 10;
const TICK = 250;

/** What of the files that were never synced, and of the tail of the one that was, a power cut may leave. */
const LEFT: { what: string; cut(bytes: Buffer): Buffer }[] = [
  { what: "nothing", cut: () => Buffer.alloc(0) },
  { what: "half", cut: (bytes) => bytes.subarray(0, bytes.length / 2) },
  { what: "zeros", cut: (bytes) => Buffer.alloc(bytes.length) },
  { what: "all but the last byte", cut: (bytes) => bytes.subarray(0, -1) },
  { what: "a page, and zeros", cut: (bytes) => Buffer.concat([bytes.subarray(0, 4096), Buffer.alloc(9000)]) },
];

describe("a recording on a host whose power is cut", () => {
  let spool: Spool;
  let clock: sinon.SinonFakeTimers;
  beforeEach(() => {
    spool = makeSpool();
    clock = sinon.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now: Date.now() });
  });
  afterEach(() => {
    clock.restore();
    spool.remove();
  });

  /** Writes a line in each step; calls `look` behind it with the number of blocks that fdatasync(2) has returned for. */
  async function write(
    text: (line: number) => Buffer,
    look: (writer: RecordingWriter, time: number, synced: number) => void,
  ): Promise<void> {
    let synced = 0;
    const session = newSession();
    const onSealed = (_: string, sequence: number) => (synced = sequence + 1);
    const { writer, directory } = startWriting(spool.path, { onSealed }, session);
    const blocks = join(directory, BLOCKS_FILE);
    for (let time = 0; time < LENGTH; time += STEP) {
      if (time % TICK === 0) writer.tick(Date.now());
      clock.tick(STEP);
      // The disk is as fast as the clock wants it: what was begun is done before the next step.
      while (clock.countTimers() === 0 && seekBlock(blocks, Number.MAX_SAFE_INTEGER).next > synced)
        await new Promise(setImmediate);
      assert.ok(writer.write(FrameKind.output, text(time / STEP)));
      look(writer, time, synced);
    }
    await writer.end({ v: 1, exitStatus: 0, signal: null, reason: "exited", detail: "", endedAt: 0 });
  }

  for (const { what, cut } of LEFT) {
    it(`verifies, and lacks at most its last second, when ${what} is left of what was not synced`, async () => {
      let looks = 0;
      await write(numbered, (writer, time, synced) => {
        if (time % 370 !== 0 || synced === 0) return;
        looks++;
        const after = cutPower(spool.path, writer, synced, cut);
        const output = recordedOutput(after).toString();
        assert.ok(verifyRecording(readBlocks(after), hostKeys.publicKey).complete);
        assert.ok(allLines(time).startsWith(output), "once, in order, no gap");
        const lost = time - (output.split("\n").length - 2) * STEP;
        assert.ok(lost <= 1_000, `${lost} ms are lost at ${time}`);
      });
      assert.ok(looks > 10);
    });
  }

  it("lacks at most its last second when it comes in bulk", async () => {
    const bulk = (line: number) => Buffer.concat([randomBytes(20_000), numbered(line)]);
    await write(bulk, (writer, time, synced) => {
      if (time % 1110 !== 0 || synced === 0) return;
      const after = cutPower(spool.path, writer, synced, () => Buffer.alloc(0));
      assert.ok(verifyRecording(readBlocks(after), hostKeys.publicKey).complete);
      const { length } = recordedOutput(after);
      const lost = time - Math.floor(length / bulk(0).length) * STEP;
      assert.ok(lost <= 1_000, `${lost} ms are lost at ${time}`);
    });
  });
});

function numbered(line: number): Buffer {
  return Buffer.from(`line ${String(line).padStart(6, "0")}\n`);
}

function allLines(time: number): string {
  return Array.from({ length: time / STEP + 1 }, (_, line) => numbered(line)).join("");
}

/**
 * A copy of the recording as a power cut leaves it, recovered: whole is only what fdatasync(2) was called for and
 * returned, the first `synced` blocks. Returns its directory.
 */
function cutPower(
  spool: string,
  writer: RecordingWriter,
  synced: number,
  cut: (bytes: Buffer) => Buffer,
): string {
  const after = join(spool, "after");
  const directory = join(after, writer.session);
  rmSync(after, { recursive: true, force: true });
  cpSync(join(spool, writer.session), directory, { recursive: true });
  const blocks = readBlocks(directory);
  const length = [...splitBlocks(blocks)]
    .slice(0, synced)
    .reduce((sum, block) => sum + block.bytes.length, 0);
  truncateSync(join(directory, BLOCKS_FILE), length);
  appendFileSync(join(directory, BLOCKS_FILE), cut(blocks.subarray(length)));
  for (const name of openFiles(directory))
    writeFileSync(join(directory, name), cut(readFileSync(join(directory, name))));
  recover(after, writer.session);
  return directory;
}
