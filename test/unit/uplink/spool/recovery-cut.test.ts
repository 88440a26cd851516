import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { verifyRecording } from "@sallyport/core/recording/chain.ts";
import type { Frame } from "@sallyport/core/recording/frame.ts";
import { BLOCKS_FILE, openBlockPath } from "@sallyport/uplink/spool/layout.ts";
import { copyTo, encoded, framesOf, type LeftBehind, leaveBehind } from "./left-behind.ts";
import { hostKeys, readBlocks, recordedOutput, recover } from "./spool.ts";

const lines = (count: number): string =>
  Array.from({ length: count }, (_, index) => `line ${index + 1}\n`).join("");

describe("a spool that was cut off at any byte", () => {
  // In memory: this is many times the same small files, and not about the disk.
  let root: string;
  let left: LeftBehind;
  let raw: Frame[];
  beforeEach(() => {
    root = mkdtempSync("/dev/shm/spool-");
    const original = join(root, "original");
    // Blocks 0 and 1 are synced; of 2 and 3 the raw frames are there, in one file; 2 is sealed, 3 was filling.
    left = leaveBehind(mkdir(original), 3, []);
    raw = [...framesOf(left.session, 2), ...framesOf(left.session, 3)];
    writeFileSync(openBlockPath(left.directory, 2), encoded(...raw));
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
    const ends = raw.map((_, index) => encoded(...raw.slice(0, index + 1)).length);
    for (let cut = 0; cut <= (ends.at(-1) ?? 0); cut++) {
      const whole = ends.filter((end) => end <= cut).length;
      const output = afterwards(`raw-${cut}`, (directory) => truncateSync(openBlockPath(directory, 2), cut));
      // Those of block 2 are sealed, whatever became of their raw frames.
      assert.equal(output, lines(Math.max(6, 3 + whole)), `cut at ${cut}`);
    }
  });

  it("has every frame, when it is the blocks behind the last one that was synced", () => {
    const all = readBlocks(left.directory).length;
    const synced = (left.blocks[0]?.bytes.length ?? 0) + (left.blocks[1]?.bytes.length ?? 0);
    for (let cut = synced; cut <= all; cut++) {
      const output = afterwards(`blocks-${cut}`, (directory) =>
        truncateSync(join(directory, BLOCKS_FILE), cut),
      );
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
      const output = afterwards(`again-${cut}`, (copy) =>
        writeFileSync(join(copy, BLOCKS_FILE), recovered.subarray(0, cut)),
      );
      assert.equal(output, lines(9), `cut at ${cut}`);
    }
  });
});

function mkdir(path: string): string {
  rmSync(path, { recursive: true, force: true });
  return mkdirSync(path, { recursive: true }) ?? path;
}
