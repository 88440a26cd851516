import assert from "node:assert/strict";
import { once } from "node:events";
import { recordingFrames } from "@sallyport/core/recording/chain.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import { readBlocks } from "../../uplink/spool/spool.ts";
import { RecorderUnderTest } from "../support/recorder.ts";
import { type ReceivedFrame, startField } from "../support/scripted-shim.ts";

const MUCH = 128 * 1024 * 1024;

describe("a command's session", () => {
  let recorder: RecorderUnderTest;
  beforeEach(async () => {
    recorder = await RecorderUnderTest.start();
  });
  afterEach(() => recorder.close());

  const begin = (command: Uint8Array = Buffer.from("true")) =>
    recorder.begin({ command: Buffer.from(command).toString("base64"), shell: "/bin/dash" });
  const released = (frames: ReceivedFrame[]) =>
    frames
      .filter(({ type }) => type === "a")
      .reduce<number[]>(
        ([o = 0, e = 0], { data }) => [o + data.readUInt32BE(0), e + data.readUInt32BE(4)],
        [0, 0],
      );
  const recorded = (directory: string, wanted: number) =>
    Buffer.concat(
      [...recordingFrames(readBlocks(directory))]
        .filter(({ kind }) => kind === wanted)
        .map(({ data }) => data),
    ).toString();

  it("is told to run exactly the bytes that were sent", async () => {
    const command = Buffer.from([0x65, 0xff, 0x0a, 0x22, 0x24]);
    const { start } = await begin(command);
    assert.deepEqual(startField(start, "t"), []);
    assert.deepEqual(startField(start, "a"), [Buffer.from("dash"), Buffer.from("-c"), command]);
    assert.deepEqual(startField(start, "e").map(String), ["SHELL=/bin/dash"]);
    assert.deepEqual(startField(start, "u").map(String), ["SSH_ORIGINAL_COMMAND"]);
  });

  it("releases what it has recorded, stream by stream, all of it before its end", async () => {
    const { shim, directory, session } = await begin();
    shim.send("c");
    shim.send("i", Buffer.from("in"));
    shim.send("o", Buffer.from("out"));
    shim.send("e", Buffer.from("error"));
    shim.send("j");
    shim.send("o", Buffer.from("more"));
    shim.send("w", Buffer.of(1, 15));
    const frames = await shim.rest();
    assert.deepEqual(released(frames), [7, 5]);
    assert.deepEqual(frames.at(-1), { type: "z", data: Buffer.of(1, 15) });
    assert.equal((await recorder.says("ended", session)).end.signal, "SIGTERM");
    assert.equal(recorded(directory, FrameKind.output), "outmore");
    assert.equal(recorded(directory, FrameKind.error), "error");
    assert.equal(recorded(directory, FrameKind.input), "in");
  });

  it("keeps a flood within bounds, and never releases more than came", async () => {
    const { shim, session } = await begin();
    const before = recorder.memory;
    const chunk = Buffer.alloc(32_768, "x");
    let most = 0;
    for (let sent = 0; sent < MUCH; sent += chunk.length) {
      shim.send("o", chunk);
      if (shim.socket.writableNeedDrain) {
        await once(shim.socket, "drain");
        most = Math.max(most, recorder.memory - before);
      }
    }
    shim.send("w", Buffer.of(0, 0));
    assert.deepEqual(released(await shim.rest()), [MUCH, 0]);
    assert.ok(most < 80, `${most} MiB`);
    await recorder.says("ended", session);
  });

  it("shows a message of ours, recorded", async () => {
    const { shim, directory, session } = await begin();
    recorder.send({ type: "message", session, text: "five minutes\n" });
    assert.equal(String(await shim.nextOf("t")), "five minutes\r\n");
    shim.send("w", Buffer.of(0, 0));
    await recorder.says("ended", session);
    assert.equal(recorded(directory, FrameKind.message), "five minutes\r\n");
  });

  for (const type of ["n", "d", "h", "a", "z", "\0"]) {
    it(`ends when its shim says ${JSON.stringify(type)}`, async () => {
      const { shim, session } = await begin();
      shim.send("o", Buffer.from("before"));
      shim.send(type, Buffer.alloc(8));
      await shim.rest();
      assert.equal((await recorder.says("ended", session)).end.reason, "disconnected");
    });
  }
});
