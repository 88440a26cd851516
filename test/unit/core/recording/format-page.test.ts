import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { recordingFrames, verifyRecording } from "@sallyport/core/recording/chain.ts";
import { encodeFrame, FrameKind } from "@sallyport/core/recording/frame.ts";
import { annotate, bytesOf, EXAMPLE_FRAMES, EXAMPLE_KEY } from "./annotate.ts";
import { sealAll } from "./recordings.ts";

const page = readFileSync(new URL("../../../../docs/formats/recording.md", import.meta.url), "utf8");
const [, example = ""] = /^```\n(0000 {2}.*?)\n```$/ms.exec(page) ?? [];
const [, x = ""] = /public key\s+`([A-Za-z0-9_-]{43})`/.exec(page) ?? [];
const key = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x } });

/** The cells of the page's tables, row by row. */
const rows = page
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

describe("docs/formats/recording.md", () => {
  it("has an example that is a whole recording, signed by the key that it names", () => {
    const verified = verifyRecording(bytesOf(example), key);
    assert.deepEqual([verified.blocks, verified.frames, verified.complete], [1, 3, true]);
    assert.match(page, new RegExp(`decompresses to ${verified.rawBytes} bytes`));
  });

  it("annotates it field by field", () => {
    assert.equal(example, annotate(bytesOf(example)));
    const bytes = bytesOf(example);
    assert.equal(Buffer.from(bytes.subarray(34, 38)).readUInt32BE(), 0);
  });

  it("has the frames in it that its table says, and that the code writes today", () => {
    const frames = [...recordingFrames(bytesOf(example))];
    const encode = (list: typeof frames) =>
      list.map((frame) => Buffer.from(encodeFrame(frame)).toString("hex"));
    assert.deepEqual(encode(frames), encode(EXAMPLE_FRAMES));
    for (const frame of frames) {
      const [hex = ""] = encode([frame]);
      const row = rows.find(([kind, time, length]) => {
        return kind === `${frame.kind}` && time === `${frame.time}` && length === `${frame.data.length}`;
      });
      const shown = row?.[3]?.replace(/[`… ]/g, "") ?? "no such row";
      assert.ok(hex.startsWith(shown), `kind ${frame.kind}: ${shown}`);
    }
  });

  it("has the same block that the code seals today, but for what zstd makes of it", () => {
    const [block] = sealAll([EXAMPLE_FRAMES], { key: EXAMPLE_KEY.privateKey });
    assert.deepEqual(
      Buffer.from(block?.bytes.subarray(0, 47) ?? []),
      Buffer.from(bytesOf(example).subarray(0, 47)),
    );
  });

  it("names every kind of frame", () => {
    for (const [name, kind] of Object.entries(FrameKind)) {
      const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
      assert.ok(
        rows.some(([first, second]) => first === `${kind}` && second === words),
        name,
      );
    }
  });
});
