import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { verifyRecording } from "@sallyport/core/recording/chain.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import { BLOCKS_FILE } from "@sallyport/uplink/spool/layout.ts";
import sinon from "sinon";
import { TestControlPlane } from "../link/control-plane.ts";
import { HOST_ID } from "../link/host.ts";
import {
  descriptorsBelow,
  END,
  hostKeys,
  makeSpool,
  newSession,
  readBlocks,
  type Spool,
  startWriting,
} from "../spool/spool.ts";
import { makeRecording, type Recording, UploadingHost } from "./host.ts";

describe("an uploader", () => {
  let root: Spool;
  let spool: string;
  let rejected: string;
  let plane: TestControlPlane;
  let host: UploadingHost;
  beforeEach(async () => {
    root = makeSpool();
    spool = join(root.path, "spool");
    rejected = join(root.path, "rejected");
    mkdirSync(spool);
    mkdirSync(rejected);
    plane = await TestControlPlane.start(HOST_ID, hostKeys.publicKey);
    host = new UploadingHost(plane.url, spool, rejected);
  });
  afterEach(async () => {
    host.close();
    assert.deepEqual(descriptorsBelow(root.path), []);
    await plane.close();
    root.remove();
  });

  async function connect(): Promise<void> {
    const { connected } = host;
    if (connected === 0) host.link.start();
    await host.until(() => host.connected > connected);
  }
  const isStored = (recording: Recording) => () => host.stored.includes(recording.session);
  const countOf = ({ session }: Recording) => plane.recordings.get(session)?.blocks.length ?? 0;
  const arrivedOf = ({ session }: Recording) => plane.arrived.filter((one) => one.startsWith(session)).length;

  /** What is stored of it is what was recorded, each block having come once. */
  function assertWhole({ session, blocks }: Recording): void {
    const stored = plane.recordings.get(session)?.blocks ?? [];
    assert.deepEqual(
      stored.map((block) => Buffer.from(block.bytes)),
      blocks.map((block) => Buffer.from(block.bytes)),
    );
    assert.equal(arrivedOf({ session, blocks, directory: "" }), blocks.length);
  }

  it("sends a recording, and removes it here only when its end is stored there", async () => {
    const recording = makeRecording(spool, 5);
    await connect();
    host.uploader.offerAll(recording.session);
    assert.equal(host.uploader.pending, 1);
    await host.until(isStored(recording));
    assertWhole(recording);
    assert.equal(existsSync(recording.directory), false);
    assert.equal(host.uploader.pending, 0);
  });

  it("sends a recording while it is written, block by block", async () => {
    const session = newSession();
    await connect();
    const { writer, directory } = startWriting(
      spool,
      { onSealed: (one, sequence) => host.uploader.offer(one, sequence + 1) },
      session,
    );
    writer.tick(Date.now());
    await plane.until(() => plane.recordings.get(session)?.blocks.length === 1);
    writer.write(FrameKind.output, Buffer.from("while it is written"));
    writer.tick(Date.now() + 1000);
    await plane.until(() => plane.recordings.get(session)?.blocks.length === 2);
    assert.ok(existsSync(directory));
    await writer.end(END);
    await host.until(() => host.stored.includes(session));
    const bytes = Buffer.concat((plane.recordings.get(session)?.blocks ?? []).map((block) => block.bytes));
    assert.equal(verifyRecording(bytes, hostKeys.publicKey).complete, true);
    assert.equal(existsSync(directory), false);
  });

  it("never sends a block that is not said to be on the disk", async () => {
    const recording = makeRecording(spool, 6);
    await connect();
    host.uploader.offer(recording.session, 2);
    await host.settle();
    assert.equal(countOf(recording), 2);
    host.uploader.offer(recording.session, 1); // heard late
    host.uploader.offer(recording.session, 4);
    await host.settle();
    assert.equal(countOf(recording), 4);
    host.uploader.offerAll(recording.session);
    await host.until(isStored(recording));
    assertWhole(recording);
  });

  it("keeps what is offered while there is no link, and sends it when there is", async () => {
    const recordings = [3, 1, 7].map((count) => makeRecording(spool, count));
    for (const { session } of recordings) host.uploader.offerAll(session);
    assert.equal(host.uploader.pending, 3);
    await connect();
    for (const recording of recordings) {
      await host.until(isStored(recording));
      assertWhole(recording);
    }
    assert.deepEqual(readdirSync(spool), []);
  });

  for (const have of [0, 1, 4, 5]) {
    it(`goes on where the control plane says: it has ${have} blocks of 6`, async () => {
      const recording = makeRecording(spool, 6);
      plane.recordings.set(recording.session, { blocks: recording.blocks.slice(0, have), complete: false });
      await connect();
      host.uploader.offerAll(recording.session);
      await host.until(isStored(recording));
      assert.equal(countOf(recording), 6);
      assert.equal(arrivedOf(recording), 6 - have);
    });
  }

  it("sends nothing when the control plane has all of it, and removes it here", async () => {
    const recording = makeRecording(spool, 4);
    plane.recordings.set(recording.session, { blocks: recording.blocks, complete: true });
    await connect();
    host.uploader.offerAll(recording.session);
    await host.until(isStored(recording));
    assert.deepEqual(plane.arrived, []);
    assert.equal(existsSync(recording.directory), false);
  });

  it("waits when the control plane has more than is here", async () => {
    const whole = makeRecording(spool, 5);
    plane.recordings.set(whole.session, { blocks: whole.blocks.slice(0, 4), complete: false });
    writeFileSync(
      join(whole.directory, BLOCKS_FILE),
      Buffer.concat(whole.blocks.slice(0, 2).map((block) => block.bytes)),
    );
    await connect();
    host.uploader.offer(whole.session, 2);
    await host.settle();
    assert.deepEqual(plane.arrived, []);
    assert.equal(host.uploader.pending, 1);
  });

  it("loses nothing and sends nothing twice when the link is cut in the middle, again and again", async () => {
    const recordings = [40, 3, 25].map((count) => makeRecording(spool, count));
    plane.cutAfter = 7;
    for (const { session } of recordings) host.uploader.offerAll(session);
    host.link.start();
    await host.until(() => host.connected === 4);
    assert.ok(plane.arrived.length >= 21);
    plane.cutAfter = Number.POSITIVE_INFINITY;
    for (const recording of recordings) {
      await host.until(isStored(recording));
      assertWhole(recording);
    }
    assert.deepEqual(readdirSync(spool), []);
  });

  it("has at most 32 blocks of a recording under way that were not acknowledged", async () => {
    const recording = makeRecording(spool, 100);
    plane.mute.add(recording.session);
    await connect();
    host.uploader.offerAll(recording.session);
    await host.settle();
    assert.equal(countOf(recording), 32);
    await host.settle();
    assert.equal(countOf(recording), 32);
    plane.acknowledge(recording.session);
    await host.settle();
    assert.equal(countOf(recording), 64);
    plane.mute.clear();
    plane.acknowledge(recording.session);
    await host.until(isStored(recording));
    assertWhole(recording);
  });

  it("lets one that is not acknowledged stop no other", async () => {
    const [sick, ...healthy] = [100, 50, 2].map((count) => makeRecording(spool, count));
    assert.ok(sick);
    plane.mute.add(sick.session);
    await connect();
    for (const { session } of [sick, ...healthy]) host.uploader.offerAll(session);
    for (const recording of healthy) await host.until(isStored(recording));
    assert.equal(countOf(sick), 32);
  });

  it("asks again, less and less often, for one that cannot be stored, and goes on with the others", async () => {
    const [sick, well] = [50, 50].map((count) => makeRecording(spool, count));
    assert.ok(sick && well);
    plane.cannotStore.add(sick.session);
    await connect();
    const clock = sinon.useFakeTimers({
      toFake: ["setTimeout", "clearTimeout"],
      shouldClearNativeTimers: true,
    });
    const pauses = sinon.spy(globalThis, "setTimeout");
    try {
      for (const { session } of [sick, well]) host.uploader.offerAll(session);
      await host.until(isStored(well));
      const growing = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];
      for (const [times, pause] of growing.entries()) {
        await plane.until(() => arrivedOf(sick) === 32 * (times + 1));
        await host.settle();
        assert.deepEqual(
          pauses.args.flatMap(([, ms]) => (growing.includes(ms ?? 0) ? [ms] : [])),
          growing.slice(0, times + 1),
        );
        clock.tick(pause);
      }
      await plane.until(() => arrivedOf(sick) === 32 * (growing.length + 1));
      await host.settle();
      plane.cannotStore.clear();
      clock.tick(60_000);
      await host.until(isStored(sick));
      assert.equal(countOf(sick), 50);
    } finally {
      sinon.restore();
    }
  });

  it("stops before it fills the memory with what a socket does not take, and goes on when it does", async () => {
    const recordings = Array.from({ length: 10 }, () => makeRecording(spool, 33, { noise: 60_000 }));
    await connect();
    plane.socket?.pause();
    for (const { session } of recordings) host.uploader.offerAll(session);
    // The questions about where to go on are not answered either, so the answers are given here.
    for (const { session } of recordings) host.uploader.acknowledge(session, 0, false);
    assert.equal(host.link.congested, true);
    plane.socket?.resume();
    for (const recording of recordings) {
      await host.until(isStored(recording));
      assertWhole(recording);
    }
  });

  it("goes back when the control plane has less than it once had", async () => {
    const recording = makeRecording(spool, 60);
    plane.mute.add(recording.session);
    await connect();
    host.uploader.offerAll(recording.session);
    await host.settle();
    plane.acknowledge(recording.session);
    await host.settle();
    // Restored from a backup: the last blocks are gone there.
    plane.recordings.set(recording.session, { blocks: recording.blocks.slice(0, 5), complete: false });
    plane.mute.clear();
    plane.socket?.terminate();
    await host.until(isStored(recording));
    assert.equal(countOf(recording), 60);
  });

  describe("whose recording is rejected", () => {
    it("sets it aside whole, never sends it again, and goes on with the others", async () => {
      const recordings = [10, 40, 10].map((count) => makeRecording(spool, count));
      const [first, sick, last] = recordings;
      assert.ok(first && sick && last);
      plane.rejects.add(sick.session);
      const bytes = readBlocks(sick.directory);
      await connect();
      for (const { session } of recordings) host.uploader.offerAll(session);
      for (const recording of [first, last]) {
        await host.until(isStored(recording));
        assertWhole(recording);
      }
      await host.settle();
      assert.deepEqual(readdirSync(spool), []);
      assert.deepEqual(readBlocks(join(rejected, sick.session)), bytes);
      const before = arrivedOf(sick);
      plane.socket?.terminate();
      await connect();
      host.uploader.offerAll(sick.session);
      await host.settle();
      assert.equal(arrivedOf(sick), before);
      assert.equal(host.uploader.pending, 0);
    });

    it("does not take it from under its writer: it is set aside when the session is over", async () => {
      const session = newSession();
      plane.rejects.add(session);
      await connect();
      const { writer, directory, failures } = startWriting(
        spool,
        { onSealed: (one, sequence) => host.uploader.offer(one, sequence + 1) },
        session,
      );
      writer.tick(Date.now());
      await host.until(() => host.messages.some((message) => message.type === "recording-rejected"));
      assert.equal(host.uploader.pending, 0);
      assert.ok(existsSync(directory));
      for (let i = 0; i < 40; i++) assert.ok(writer.write(FrameKind.output, Buffer.alloc(60_000, i)));
      await writer.end(END);
      await host.settle();
      assert.deepEqual(failures, []);
      assert.equal(plane.arrived.length, 1);
      assert.ok(existsSync(directory));
      host.uploader.offerAll(session);
      assert.equal(existsSync(directory), false);
      assert.equal(verifyRecording(readBlocks(join(rejected, session)), hostKeys.publicKey).complete, true);
      await host.settle();
      assert.equal(plane.arrived.length, 1);
    });

    it("goes on though it cannot be set aside", async () => {
      const [sick, healthy] = [makeRecording(spool, 3), makeRecording(spool, 3)];
      rmSync(rejected, { recursive: true });
      writeFileSync(rejected, "no directory");
      plane.rejects.add(sick.session);
      await connect();
      host.uploader.offerAll(sick.session);
      host.uploader.offerAll(healthy.session);
      await host.until(isStored(healthy));
      await host.until(() => host.stuck.length > 0);
      assert.deepEqual(
        host.stuck.map(({ recording }) => recording),
        [sick.session],
      );
      assert.ok(existsSync(sick.directory));
      assert.equal(host.uploader.pending, 0);
    });
  });

  it("lets a local file that makes no sense stop no other", async () => {
    const [sick, healthy] = [makeRecording(spool, 5), makeRecording(spool, 5)];
    const bytes = readBlocks(sick.directory);
    bytes.writeUInt32BE(0xffffffff, (sick.blocks[0]?.bytes.length ?? 0) + 47); // block 1's length
    writeFileSync(join(sick.directory, BLOCKS_FILE), bytes);
    await connect();
    for (const { session } of [sick, healthy]) host.uploader.offerAll(session);
    await host.until(isStored(healthy));
    await host.settle();
    assert.equal(countOf(sick), 1);
    // What nobody writes any more and has no end is set aside, told once, and not tried again.
    assert.deepEqual(host.refused, [{ recording: sick.session, reason: "Block 1 is missing or damaged." }]);
    assert.deepEqual(readBlocks(join(rejected, sick.session)), bytes);
    plane.socket?.terminate();
    await connect();
    host.uploader.offerAll(sick.session);
    await host.settle();
    assert.equal(arrivedOf(sick), 1);
    assert.equal(host.refused.length, 1);
  });

  it("lets a file that cannot be read stop no other", async () => {
    const [sick, healthy] = [makeRecording(spool, 3), makeRecording(spool, 3)];
    rmSync(join(sick.directory, BLOCKS_FILE));
    mkdirSync(join(sick.directory, BLOCKS_FILE));
    await connect();
    for (const { session } of [sick, healthy]) host.uploader.offerAll(session);
    await host.until(isStored(healthy));
    await host.settle();
    assert.match(host.refused[0]?.reason ?? "", /EISDIR/);
    assert.deepEqual(readdirSync(rejected), [sick.session]);
  });

  it("leaves what is in the way in the place for the sick alone", async () => {
    const sick = makeRecording(spool, 2);
    mkdirSync(join(rejected, sick.session));
    plane.rejects.add(sick.session);
    await connect();
    host.uploader.offerAll(sick.session);
    await host.until(() => host.refused.length > 0);
    assert.deepEqual(readdirSync(rejected).sort(), [sick.session, `${sick.session}.1`]);
  });

  it("keeps what is stored, where it is told to", async () => {
    const kept = join(root.path, "kept");
    host.close();
    host = new UploadingHost(plane.url, spool, rejected, kept);
    const recording = makeRecording(spool, 2);
    await connect();
    host.uploader.offerAll(recording.session);
    await host.until(isStored(recording));
    assert.deepEqual(readdirSync(spool), []);
    assert.equal(readBlocks(join(kept, recording.session)).length > 0, true);
  });

  it("holds no file open, however many recordings wait", async () => {
    const recordings = Array.from({ length: 300 }, () => makeRecording(spool, 1));
    for (const { session } of recordings) host.uploader.offerAll(session);
    assert.deepEqual(descriptorsBelow(root.path), []);
    await connect();
    await host.until(() => host.stored.length === recordings.length);
  });

  it("does not send a block that is only half in the file", async () => {
    const recording = makeRecording(spool, 3);
    const bytes = readBlocks(recording.directory);
    writeFileSync(join(recording.directory, BLOCKS_FILE), bytes.subarray(0, -10));
    await connect();
    host.uploader.offer(recording.session, 3);
    await host.settle();
    assert.equal(countOf(recording), 2);
    appendFileSync(join(recording.directory, BLOCKS_FILE), bytes.subarray(-10));
    host.uploader.offerAll(recording.session);
    await host.until(isStored(recording));
    assertWhole(recording);
  });

  it("passes over answers about recordings that it does not have", async () => {
    await connect();
    host.uploader.acknowledge(newSession(), 7, true);
    host.uploader.reject(newSession());
    host.uploader.offerAll(newSession());
    assert.equal(host.uploader.pending, 0);
    assert.deepEqual(host.stored, []);
  });
});
