import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { recordingFrames } from "@sallyport/core/recording/chain.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import { readBlocks, recordedOutput } from "../../uplink/spool/spool.ts";
import { RecorderUnderTest } from "../support/recorder.ts";

const COMMAND = Buffer.from("true").toString("base64");
/** The open block and the frame that closes it: what strict durability may show before it is on the disk. */
const OPEN_BLOCK = 2 * 65_536;

describe("a session whose engagement wants", () => {
  let recorder: RecorderUnderTest;
  beforeEach(async () => {
    recorder = await RecorderUnderTest.start();
  });
  afterEach(() => recorder.close());

  const kinds = (directory: string) =>
    [...recordingFrames(readBlocks(directory))].map(({ kind, data }) => ({ kind, data: Buffer.from(data) }));

  describe("no input recorded", () => {
    const recording = { input: false, durability: "normal" } as const;

    it("has a command's standard input counted, and nothing of it kept", async () => {
      const { shim, directory, session } = await recorder.begin({ command: COMMAND, recording });
      shim.send("i", Buffer.from("a secret, and more"));
      shim.send("o", Buffer.from("output"));
      shim.send("w", Buffer.of(0, 0));
      await recorder.says("ended", session);
      const frames = kinds(directory);
      assert.deepEqual(
        frames.find(({ kind }) => kind === FrameKind.inputWithheld),
        { kind: FrameKind.inputWithheld, data: Buffer.of(18) },
      );
      assert.ok(!frames.some(({ kind }) => kind === FrameKind.input));
      assert.equal(recordedOutput(directory).toString(), "output");
      assert.ok(!readBlocks(directory).includes("secret"));
    });

    it("has what is typed on a terminal counted, and resizes kept", async () => {
      const { shim, directory, session } = await recorder.begin({ recording });
      shim.send("n", Buffer.from("001e006400000000", "hex"));
      shim.send("i", Buffer.from("typed"));
      shim.send("c");
      shim.send("w", Buffer.of(0, 0));
      await recorder.says("ended", session);
      const seen = kinds(directory);
      assert.ok(seen.some(({ kind, data }) => kind === FrameKind.inputWithheld && data.equals(Buffer.of(5))));
      assert.ok(seen.some(({ kind }) => kind === FrameKind.resize));
      assert.ok(!seen.some(({ kind }) => kind === FrameKind.input));
    });
  });

  describe("strict durability", () => {
    const recording = { input: true, durability: "strict" } as const;

    it("shows no more than the open block before it is on the disk, and all of it in the end", async () => {
      const { shim, directory, session } = await recorder.begin({ command: COMMAND, recording });
      const output = randomBytes(1_500_000);
      for (let at = 0; at < output.length; at += 30_000) shim.send("o", output.subarray(at, at + 30_000));
      shim.send("w", Buffer.of(0, 3));
      let released = 0;
      for (let frame = await shim.next(); frame?.type !== "z"; frame = await shim.next()) {
        assert.equal(frame?.type, "a");
        released += frame.data.readUInt32BE(0);
        const onTheDisk = recordedOutput(directory).length;
        assert.ok(released - onTheDisk <= OPEN_BLOCK, `${released} shown, ${onTheDisk} sealed`);
      }
      assert.equal(released, output.length);
      // The end is told after the last block is on the disk.
      assert.ok(recordedOutput(directory).equals(output));
      await recorder.says("ended", session);
    });

    it("shows a terminal's messages in their order", async () => {
      const { shim, directory, session } = await recorder.begin({ recording });
      for (let i = 0; i < 50; i++) recorder.send({ type: "message", session, text: `message ${i}\n` });
      recorder.send({ type: "end", session, reason: "revoked", detail: "", text: "" });
      const shown = (await shim.rest()).filter(({ type }) => type === "t").map(({ data }) => data.toString());
      assert.deepEqual(
        shown,
        Array.from({ length: 50 }, (_, i) => `message ${i}\r\n`),
      );
      assert.equal((await recorder.says("ended", session)).end.reason, "revoked");
      assert.equal(kinds(directory).filter(({ kind }) => kind === FrameKind.message).length, 50);
    });
  });
});
