import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { verifyRecording } from "@sallyport/core/recording/chain.ts";
import { encodeFrame } from "@sallyport/core/recording/frame.ts";
import { BLOCKS_FILE, openBlockPath } from "@sallyport/uplink/spool/layout.ts";
import { copyTo, framesOf, type LeftBehind, leaveBehind } from "./left-behind.ts";
import { hostKeys, readBlocks, recordedOutput, recover } from "./spool.ts";

const lines = (count: number): string => Array.from({ length: count }, (_, index) => `line ${index + 1}\n`).join("");

describe("a spool that was cut off at any byte", () => {
  // In memory: this is many times the same small files, and not about the disk.
  let root: string;
  let left: LeftBehind;
  beforeEach(() => {
    root = mkdtempSync("/dev/shm/spool-");
    const original = join(root, "original");
    // Blocks 0 and 1 are synced; 2 is sealed but its raw frames are still there; 3 is filling.
    left = leaveBehind(mkdir(original), 3, [2, 3]);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  /** Recovers a copy that `harm` has harmed, twice, and gives what is in it then. */
  function afterwards(name: string, harm: (directory: string) => void): string {
    const spool = mkdir(join(root, name));
    const directory = copyTo(spool, left);
    harm(directory);
    recover(spool, left.session);
    const once = readBlocks(directory);
    assert.equal(recover(spool, left.session), null);
    assert.deepEqual(readBlocks(directory), once);
    assert.equal(verifyRecording(once, hostKeys.publicKey).complete, true);
    const output = recordedOutput(directory).toString();
    rmSync(spool, { recursive: true });
    return output;
  }

  it("has every whole frame, when it is the raw frames", () => {
    const frames = framesOf(left.session, 3).map((frame) => encodeFrame(frame).length);
    const total = frames.reduce((sum, length) => sum + length, 0);
    for (let cut = 0; cut <= total; cut++) {
      let end = 0;
      const whole = frames.filter((length) => (end += length) <= cut).length;
      const output = afterwards(`raw-${cut}`, (directory) => truncateSync(openBlockPath(directory, 3), cut));
      assert.equal(output, lines(6 + whole), `cut at ${cut}`);
    }
  });

  it("has every frame, when it is the blocks behind the last one that was synced", () => {
    const all = readBlocks(left.directory).length;
    const synced = (left.blocks[0]?.bytes.length ?? 0) + (left.blocks[1]?.bytes.length ?? 0);
    for (let cut = synced; cut <= all; cut++) {
      const output = afterwards(`blocks-${cut}`, (directory) => truncateSync(join(directory, BLOCKS_FILE), cut));
      assert.equal(output, lines(9), `cut at ${cut}`);
    }
  });

  it("has every frame, when it is what an earlier recovery wrote", () => {
    const spool = mkdir(join(root, "recovered"));
    const directory = copyTo(spool, left);
    const before = readBlocks(directory).length;
    recover(spool, left.session);
    const recovered = readBlocks(directory);
    for (let cut = before; cut <= recovered.length; cut++) {
      const output = afterwards(`again-${cut}`, (copy) => writeFileSync(join(copy, BLOCKS_FILE), recovered.subarray(0, cut)));
      assert.equal(output, lines(9), `cut at ${cut}`);
    }
  });
});

function mkdir(path: string): string {
  rmSync(path, { recursive: true, force: true });
  return mkdirSync(path, { recursive: true }) ?? path;
}
