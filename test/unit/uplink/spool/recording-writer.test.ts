import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { cpSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { MAX_BLOCK_RAW, parseBlock } from "@sallyport/core/recording/block.ts";
import { recordingFrames, splitBlocks, verifyRecording } from "@sallyport/core/recording/chain.ts";
import { endRecordOf, startRecordOf } from "@sallyport/core/recording/export.ts";
import { decodeFrames, FrameKind } from "@sallyport/core/recording/frame.ts";
import { OWNER_FILE, openBlockPath } from "@sallyport/uplink/spool/layout.ts";
import { RecordingWriter } from "@sallyport/uplink/spool/recording-writer.ts";
import { until } from "../../../../demo/light-host/until.ts";
import {
  descriptorsBelow,
  END,
  hostKeys,
  makeSpool,
  newSession,
  openFiles,
  outputOf,
  readBlocks,
  recordedOutput,
  recover,
  type Spool,
  startRecord,
  startWriting,
  timers,
} from "./spool.ts";

describe("a recording writer", () => {
  let spool: Spool;
  beforeEach(() => {
    spool = makeSpool();
  });
  afterEach(() => spool.remove());

  it("has the start record in the kernel's hands, and says whose it is, before it is made", async () => {
    const { writer, directory } = startWriting(spool.path);
    const [first] = decodeFrames(readFileSync(openBlockPath(directory, 0))).frames;
    assert.equal(startRecordOf(first).session, writer.session);
    assert.equal(readFileSync(join(directory, OWNER_FILE), "utf8"), '{"pid":1}');
    await writer.end(END);
  });

  it("keeps everything from other accounts", async () => {
    const { writer, directory } = startWriting(spool.path);
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    for (const name of readdirSync(directory))
      assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600, name);
    await writer.end(END);
  });

  it("has bytes in the kernel's hands when write returns", async () => {
    const { writer, directory } = startWriting(spool.path);
    let expected = "";
    for (let i = 0; i < 50; i++) {
      assert.equal(writer.write(FrameKind.output, Buffer.from(`line ${i}\n`)), true);
      expected += `line ${i}\n`;
      const { frames, rest } = decodeFrames(readFileSync(openBlockPath(directory, 0)));
      assert.deepEqual([outputOf(frames).toString(), rest], [expected, 0]);
    }
    await writer.end(END);
  });

  it("closes a recording that verifies, with all that was written, and leaves nothing else", async () => {
    const { writer, directory, sealed } = startWriting(spool.path);
    const bytes = randomBytes(300_000);
    for (let at = 0; at < bytes.length; at += 1000)
      writer.write(FrameKind.output, bytes.subarray(at, at + 1000));
    await writer.end(END);
    const recording = readBlocks(directory);
    const verified = verifyRecording(recording, hostKeys.publicKey);
    assert.equal(verified.frames, 302);
    assert.deepEqual(recordedOutput(directory), bytes);
    const frames = [...recordingFrames(recording)];
    assert.deepEqual(endRecordOf(frames.at(-1)), END);
    assert.equal(sealed.at(-1), verified.blocks - 1);
    assert.deepEqual(readdirSync(directory).sort(), ["blocks", "owner"]);
  });

  it("announces blocks only when they are in the file, whole", async () => {
    const session = newSession();
    const announced: [number, number][] = [];
    const onSealed = (_: string, sequence: number) => {
      announced.push([sequence, [...splitBlocks(readBlocks(join(spool.path, session)))].length]);
    };
    const { writer } = startWriting(spool.path, { onSealed }, session);
    for (let i = 0; i < 5; i++) writer.write(FrameKind.output, randomBytes(40_000));
    await writer.end(END);
    assert.ok(announced.length >= 1);
    for (const [sequence, there] of announced) assert.ok(there > sequence, `${sequence} of ${there}`);
  });

  for (const size of [1, 65_535, 65_536, 65_537, 131_072, 200_000, 5_000_000]) {
    it(`takes ${size} bytes at once, in frames and blocks of the allowed size`, async () => {
      const { writer, directory, failures } = startWriting(spool.path);
      const bytes = randomBytes(size);
      assert.equal(writer.write(FrameKind.output, bytes.subarray(0, size >> 1)), true);
      assert.equal(writer.write(FrameKind.output, bytes.subarray(size >> 1)), true);
      assert.equal(writer.write(FrameKind.output, bytes), true);
      await writer.end(END);
      assert.deepEqual(recordedOutput(directory), Buffer.concat([bytes, bytes]));
      for (const block of splitBlocks(readBlocks(directory))) assert.ok(block.rawLength <= MAX_BLOCK_RAW);
      verifyRecording(readBlocks(directory), hostKeys.publicKey);
      assert.deepEqual(failures, []);
    });
  }

  it("records that nothing came: an empty frame", async () => {
    const { writer, directory } = startWriting(spool.path);
    assert.equal(writer.write(FrameKind.input, new Uint8Array()), true);
    await writer.end(END);
    const frames = [...recordingFrames(readBlocks(directory))];
    assert.deepEqual(
      frames.map(({ kind, data }) => [kind, data.length === 0]),
      [
        [1, false],
        [4, true],
        [8, false],
      ],
    );
  });

  it("seals by size: a block is closed by the frame that crosses 64 KiB", async () => {
    const { writer, directory } = startWriting(spool.path);
    writer.tick(Date.now()); // the first block: the start record alone
    for (let i = 0; i < 3; i++) writer.write(FrameKind.output, Buffer.alloc(30_000));
    await writer.end(END);
    assert.deepEqual(
      [...splitBlocks(readBlocks(directory))].map((block) => block.frameCount),
      [1, 3, 1],
    );
  });

  it("seals by time: before it is a second old, and only what has something in it", async () => {
    const { writer, directory } = startWriting(spool.path);
    writer.tick(Date.now()); // the first block does not wait
    writer.tick(Date.now() + 60_000); // block 1 is empty
    writer.write(FrameKind.output, Buffer.from("x"));
    writer.tick(Date.now() + 700);
    writer.write(FrameKind.output, Buffer.from("y"));
    writer.tick(Date.now() + 750);
    await writer.end(END);
    assert.deepEqual(
      [...splitBlocks(readBlocks(directory))].map((block) => block.frameCount),
      [1, 2, 1],
    );
  });

  it("announces the first block at the first tick, and then has no timer set", async () => {
    const before = await timers();
    const session = newSession();
    const announced = new Promise<void>((resolve) => {
      startWriting(spool.path, { onSealed: () => resolve() }, session).writer.tick(Date.now());
    });
    await announced;
    const first = parseBlock(readBlocks(join(spool.path, session)));
    assert.deepEqual([first.sequence, first.last], [0, false]);
    assert.equal(await timers(), before);
  });

  it("never lets time go back", async () => {
    const times = [5, 3, 9, 1, 9];
    const { writer, directory } = startWriting(spool.path, { micros: () => times.shift() ?? 0 });
    for (let i = 0; i < 3; i++) writer.write(FrameKind.output, Buffer.of(i));
    await writer.end(END);
    assert.deepEqual(
      [...recordingFrames(readBlocks(directory))].map((frame) => frame.time),
      [5, 5, 9, 9, 9],
    );
  });

  it("ends once, and takes nothing after its end", async () => {
    const { writer, directory } = startWriting(spool.path);
    const ended = writer.end(END);
    assert.equal(writer.end({ ...END, reason: "revoked" }), ended);
    assert.equal(writer.write(FrameKind.output, Buffer.from("late")), false);
    writer.tick(Date.now() + 5000);
    await ended;
    assert.equal(writer.write(FrameKind.output, Buffer.from("later")), false);
    writer.tick(Date.now() + 5000);
    assert.equal(recordedOutput(directory).length, 0);
    assert.equal(verifyRecording(readBlocks(directory), hostKeys.publicKey).complete, true);
  });

  it("ends well when its directory is gone by then: uploaded, stored and removed at once", async () => {
    const session = newSession();
    const onSealed = (_: string, sequence: number) => {
      if (sequence === 0) rmSync(join(spool.path, session), { recursive: true });
    };
    const { writer, failures } = startWriting(spool.path, { onSealed }, session);
    await writer.end(END);
    assert.deepEqual(failures, []);
    assert.deepEqual(readdirSync(spool.path), []);
  });

  it("leaves no descriptor and no timer, even when it ends in the middle of things", async () => {
    const before = await timers();
    const writings = Array.from({ length: 10 }, () => startWriting(spool.path));
    for (const { writer } of writings) writer.write(FrameKind.output, randomBytes(300_000));
    await Promise.all(writings.map(({ writer }) => writer.end(END)));
    assert.deepEqual(descriptorsBelow(spool.path), []);
    assert.equal(await timers(), before);
    for (const { directory } of writings) assert.deepEqual(openFiles(directory), []);
  });

  it("leaves a recording of the same name alone", async () => {
    const { writer, directory } = startWriting(spool.path);
    await writer.end(END);
    const before = readBlocks(directory);
    assert.throws(() => startWriting(spool.path, {}, writer.session), { code: "EEXIST" });
    assert.deepEqual(readBlocks(directory), before);
    assert.deepEqual(descriptorsBelow(spool.path), []);
  });

  it("refuses to begin with a start record that no frame can hold, and leaves nothing behind", () => {
    const session = newSession();
    const start = { ...startRecord(session), command: "x".repeat(70_000) };
    const context = {
      ...{ spool: spool.path, hostKey: hostKeys.privateKey, owner: "", micros: () => 0 },
      ...{ onSealed: () => {}, onFailed: () => {} },
    };
    assert.throws(() => new RecordingWriter(start, session, context), /start record/);
    assert.deepEqual(readdirSync(spool.path), []);
    assert.deepEqual(descriptorsBelow(spool.path), []);
  });
});

describe("a recording writer that is given more than the disk takes", () => {
  let spool: Spool;
  beforeEach(() => {
    spool = makeSpool();
  });
  afterEach(() => spool.remove());

  const MOST = 2048;
  /** Compresses to nothing: this is about the number of blocks. */
  const BLOCK = Buffer.alloc(65_536);

  it("asks for a pause, takes what comes all the same, and says when to go on, once", async () => {
    const { writer, directory } = startWriting(spool.path);
    let drains = 0;
    const drained = new Promise<void>((resolve) => {
      writer.onDrain = () => {
        drains++;
        assert.equal(writer.mayWrite, true);
        resolve();
      };
    });
    assert.equal(writer.mayWrite, true);
    let written = 0;
    for (; writer.mayWrite; written++) assert.ok(writer.write(FrameKind.output, BLOCK));
    assert.equal(written, MOST);
    for (let i = 0; i < 10; i++) assert.ok(writer.write(FrameKind.output, BLOCK));
    assert.equal(writer.mayWrite, false);
    await drained;
    await writer.end(END);
    assert.equal(drains, 1);
    const blocks = [...splitBlocks(readBlocks(directory))];
    assert.equal(blocks.at(-1)?.sequence, written + 10);
  });
});

describe("a recording writer that is given bulk", () => {
  let spool: Spool;
  beforeEach(() => {
    spool = makeSpool();
  });
  afterEach(() => spool.remove());

  it("has it sealed when write returns, and not written twice", async () => {
    const { writer, directory } = startWriting(spool.path);
    writer.tick(Date.now());
    const bytes = randomBytes(1_000_000);
    for (let at = 0; at < bytes.length; at += 50_000) {
      writer.write(FrameKind.output, bytes.subarray(at, at + 50_000));
      assert.equal(recordedOutput(directory).length, at + 50_000);
    }
    const raw = openFiles(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
    assert.ok(raw < 2000, `${raw} bytes of raw frames`);
    await writer.end(END);
    assert.deepEqual(recordedOutput(directory), bytes);
  });

  it("is recovered whole at any moment, bulk and single lines mixed", async () => {
    const { writer, directory, sealed } = startWriting(spool.path);
    const kept: Buffer[] = [];
    for (const size of [10, 50_000, 20, 30, 70_000, 30_000, 30_000, 40, 200_000, 50, 1]) {
      const bytes = randomBytes(size);
      assert.ok(writer.write(FrameKind.output, bytes));
      kept.push(bytes);
      // A sync comes in between.
      if (size === 30) assert.ok(await until(() => sealed.length > 0, 10_000));
      const copy = makeSpool();
      cpSync(directory, join(copy.path, writer.session), { recursive: true });
      assert.ok(recover(copy.path, writer.session));
      const recovered = join(copy.path, writer.session);
      assert.deepEqual(recordedOutput(recovered), Buffer.concat(kept), `after ${size}`);
      assert.equal(verifyRecording(readBlocks(recovered), hostKeys.publicKey).complete, true);
      copy.remove();
    }
    await writer.end(END);
    assert.deepEqual(recordedOutput(directory), Buffer.concat(kept));
  });

  it("counts what was added as recorded only when it is committed", async () => {
    const { writer, directory } = startWriting(spool.path);
    const before = statSync(openBlockPath(directory, 0)).size;
    assert.ok(writer.add(FrameKind.output, Buffer.from("one")));
    assert.ok(writer.add(FrameKind.error, Buffer.from("two")));
    assert.equal(statSync(openBlockPath(directory, 0)).size, before);
    assert.ok(writer.commit());
    const { frames } = decodeFrames(readFileSync(openBlockPath(directory, 0)));
    assert.deepEqual(
      frames.slice(1).map(({ kind, data }) => [kind, String(data)]),
      [
        [FrameKind.output, "one"],
        [FrameKind.error, "two"],
      ],
    );
    await writer.end(END);
    assert.equal(writer.commit(), false);
  });
});
