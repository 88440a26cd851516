import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { splitBlocks, verifyRecording } from "@sallyport/core/recording/chain.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import { END, hostKeys, makeSpool, readBlocks, type Spool, startWriting } from "./spool.ts";

describe("a strict recording writer", () => {
  let spool: Spool;
  beforeEach(() => {
    spool = makeSpool();
  });
  afterEach(() => spool.remove());

  it("holds back while a closed block is not on the disk, by size and by time, and says when it is", async () => {
    const { writer, directory, sealed } = startWriting(spool.path, { durability: "strict" });
    const drained = () =>
      new Promise<number>((resolve) => {
        writer.onDrain = () => resolve([...splitBlocks(readBlocks(directory))].length);
      });
    assert.equal(writer.holdsBack, false);
    for (let block = 0; block < 20; block++) {
      const onTheDisk = drained();
      assert.ok(writer.write(FrameKind.output, randomBytes(block % 2 === 0 ? 65_536 : 100)));
      writer.tick(Date.now() + 1000);
      assert.equal(writer.mayWrite, false);
      assert.equal(writer.holdsBack, true);
      const blocks = await onTheDisk;
      assert.equal(writer.mayWrite, true);
      assert.equal(writer.holdsBack, false);
      assert.deepEqual(
        sealed,
        Array.from({ length: blocks }, (_, sequence) => sequence),
      );
      assert.ok(blocks > block);
    }
    await writer.end(END);
    verifyRecording(readBlocks(directory), hostKeys.publicKey);
  });

  it("is not what a writer is unless it is asked to be", () => {
    const { writer } = startWriting(spool.path);
    writer.write(FrameKind.output, randomBytes(65_536));
    assert.equal(writer.mayWrite, true);
    assert.equal(writer.holdsBack, false);
    return writer.end(END);
  });
});
