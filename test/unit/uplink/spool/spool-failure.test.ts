import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { verifyRecording } from "@sallyport/core/recording/chain.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import {
  descriptorsBelow,
  END,
  hostKeys,
  makeSmallSpool,
  newSession,
  readBlocks,
  recordedOutput,
  recover,
  remount,
  type Spool,
  startWriting,
  timers,
  type Writing,
} from "./spool.ts";

/** Takes all the room that is left, and gives it back. */
function fill(spool: string): () => void {
  const path = join(spool, "ballast");
  let size = 1 << 20;
  while (size >= 1) {
    if (!takes(() => writeFileSync(path, Buffer.alloc(size), { flag: "a" }))) size >>= 1;
  }
  return () => rmSync(path);
}

/** Lets everything that is under way come to rest. */
async function settled({ writer }: Writing): Promise<unknown> {
  return writer.end(END).then(
    () => "ended",
    (error: unknown) => error,
  );
}

describe("a recording writer whose spool fails", () => {
  let spool: Spool;
  beforeEach(() => {
    spool = makeSmallSpool("size=512k,nr_inodes=64");
  });
  afterEach(() => spool.remove()); // also proves that nothing is open there

  it("when the disk is full: write says no, the failure is told once, end does not pretend", async () => {
    const writing = startWriting(spool.path);
    const { writer, failures } = writing;
    let written = 0;
    while (writer.write(FrameKind.output, randomBytes(1000)) && written < 2000) written++;
    assert.ok(written < 600, `${written} KB on a disk of 512`);
    assert.equal(writer.write(FrameKind.output, Buffer.from("more")), false);
    writer.tick(Date.now() + 5000);
    assert.deepEqual(failures.map(String), ["Error: ENOSPC: no space left on device, write"]);
    assert.match(String(await settled(writing)), /ENOSPC/);
    assert.equal(failures.length, 1);
  });

  it("leaves no descriptor and no timer though nobody calls end", async () => {
    const before = await timers();
    const failed = new Promise((resolve) => {
      const { writer } = startWriting(spool.path, { onFailed: resolve });
      while (writer.write(FrameKind.output, randomBytes(1000)));
    });
    await failed;
    // What was being compressed and synced when it failed comes to rest in a few turns of the event loop.
    for (let turn = 0; descriptorsBelow(spool.path).length > 0 && turn < 1000; turn++)
      await new Promise(setImmediate);
    assert.deepEqual(descriptorsBelow(spool.path), []);
    assert.equal(await timers(), before);
  });

  it("keeps every frame whose write said yes, to be recovered when there is room again", async () => {
    const writing = startWriting(spool.path);
    const { writer, directory } = writing;
    const kept: Buffer[] = [];
    for (;;) {
      const bytes = randomBytes(700);
      if (!writer.write(FrameKind.output, bytes)) break;
      kept.push(bytes);
    }
    await settled(writing);
    remount(spool.path, "size=4m"); // recovery needs room for one more block
    assert.ok(recover(spool.path, writer.session));
    verifyRecording(readBlocks(directory), hostKeys.publicKey);
    assert.deepEqual(recordedOutput(directory), Buffer.concat(kept));
  });

  it("when only the sealed block finds no room: told once, and the frames are still there", async () => {
    const writing = startWriting(spool.path);
    const { writer, directory, failures } = writing;
    const bytes = randomBytes(30_000);
    assert.equal(writer.write(FrameKind.output, bytes), true);
    const free = fill(spool.path);
    assert.match(String(await settled(writing)), /ENOSPC/);
    assert.equal(failures.length, 1);
    free();
    recover(spool.path, writer.session);
    assert.deepEqual(recordedOutput(directory), bytes);
    assert.equal(verifyRecording(readBlocks(directory), hostKeys.publicKey).complete, true);
  });

  it("does not even begin on a full disk, and leaves nothing behind", () => {
    const free = fill(spool.path);
    const failures: unknown[] = [];
    assert.throws(() => startWriting(spool.path, { onFailed: (error) => failures.push(error) }), /ENOSPC/);
    free();
    assert.deepEqual(readdirSync(spool.path), []);
    assert.deepEqual(failures, []);
  });

  it("does not harm the recording beside it", async () => {
    const healthy = startWriting(spool.path, {}, newSession());
    healthy.writer.write(FrameKind.output, Buffer.from("healthy"));
    await healthy.writer.end(END);
    const sick = startWriting(spool.path);
    while (sick.writer.write(FrameKind.output, randomBytes(1000)));
    await settled(sick);
    assert.equal(verifyRecording(readBlocks(healthy.directory), hostKeys.publicKey).complete, true);
  });
});

describe("a recording writer that can make no more files", () => {
  it("fails, once, and leaves nothing open", async () => {
    const spool = makeSmallSpool("size=16m,nr_inodes=8");
    try {
      const writing = startWriting(spool.path);
      const { writer, failures, directory } = writing;
      for (let i = 0; takes(() => writeFileSync(join(spool.path, `inode-${i}`), "")); i++);
      const kept: Buffer[] = [];
      for (
        let bytes = randomBytes(20_000);
        writer.write(FrameKind.output, bytes);
        bytes = randomBytes(20_000)
      ) {
        kept.push(bytes);
      }
      assert.match(String(await settled(writing)), /ENOSPC/);
      assert.equal(failures.length, 1);
      recover(spool.path, writer.session);
      // The last one, to which write said no, may be there: what fails is the file for those to come.
      const all = Buffer.concat(kept);
      assert.ok(recordedOutput(directory).subarray(0, all.length).equals(all));
      assert.ok(recordedOutput(directory).length <= all.length + 20_000);
    } finally {
      spool.remove();
    }
  });
});

function takes(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}
