import assert from "node:assert/strict";
import { SallyportError } from "@sallyport/core/errors.ts";
import {
  decodeFrames,
  encodeFrame,
  type Frame,
  FrameKind,
  frameLength,
  MAX_FRAME_DATA,
} from "@sallyport/core/recording/frame.ts";
import fc from "fast-check";
import { encodeFrames, frame, output } from "./recordings.ts";

const plain = (frames: readonly Frame[]) =>
  frames.map(({ kind, time, data }) => [kind, time, Buffer.from(data).toString("hex")]);

describe("a frame", () => {
  it("is kind, time, length and data", () => {
    const bytes = encodeFrame(frame(FrameKind.output, 300, "hi"));
    assert.equal(Buffer.from(bytes).toString("hex"), "02ac02026869");
    assert.equal(frameLength(300, 2), bytes.length);
  });

  const rows: Frame[] = [
    frame(FrameKind.output, 0, ""),
    frame(FrameKind.input, Number.MAX_SAFE_INTEGER, "x"),
    frame(255, 1, "of a later version"),
    frame(FrameKind.output, 128, new Uint8Array(MAX_FRAME_DATA)),
  ];
  it("comes back as it was, also the empty, the largest and the unknown", () => {
    assert.deepEqual(plain(decodeFrames(encodeFrames(rows)).frames), plain(rows));
  });

  it("comes back, whatever it holds", () => {
    const any = fc.record({
      kind: fc.integer({ min: 1, max: 255 }),
      time: fc.maxSafeNat(),
      data: fc.uint8Array({ maxLength: 300 }),
    });
    fc.assert(
      fc.property(fc.array(any), (frames) => {
        assert.deepEqual(plain(decodeFrames(encodeFrames(frames)).frames), plain(frames));
      }),
    );
  });
});

describe("frames that are cut off", () => {
  const frames = [
    output(0, "first"),
    output(2 ** 40, ""),
    frame(FrameKind.input, Number.MAX_SAFE_INTEGER, "x".repeat(200)),
    output(Number.MAX_SAFE_INTEGER, Buffer.alloc(40, 0xff)),
  ];
  const bytes = encodeFrames(frames);
  const ends = frames.map((_, index) => encodeFrames(frames.slice(0, index + 1)).length);

  it("are read up to the last whole one, at every cut", () => {
    for (let cut = 0; cut <= bytes.length; cut++) {
      const whole = ends.filter((end) => end <= cut).length;
      const { frames: read, rest } = decodeFrames(bytes.subarray(0, cut), { partial: true });
      assert.deepEqual(plain(read), plain(frames.slice(0, whole)), `cut at ${cut}`);
      assert.equal(rest, cut - (ends[whole - 1] ?? 0), `cut at ${cut}`);
    }
  });

  it("are refused where a cut was not to be expected", () => {
    for (let cut = 1; cut < bytes.length; cut++) {
      if (ends.includes(cut)) continue;
      assert.throws(
        () => decodeFrames(bytes.subarray(0, cut)),
        { code: "recording-malformed" },
        `cut at ${cut}`,
      );
    }
  });

  it("may end in zeros: a file's end that a power cut kept from the disk", () => {
    for (const zeros of [1, 2, 19, 20, 4096]) {
      const torn = Buffer.concat([bytes, Buffer.alloc(zeros)]);
      const { frames: read, rest } = decodeFrames(torn, { partial: true });
      assert.deepEqual([plain(read), rest], [plain(frames), zeros]);
      assert.throws(() => decodeFrames(torn), { code: "recording-malformed" });
    }
  });
});

describe("frames that are damaged", () => {
  const good = encodeFrame(output(1, "good"));
  const rows: [what: string, bytes: Uint8Array][] = [
    ["no kind", Buffer.concat([Buffer.of(0, 1, 1, 65), good])],
    ["a time without end", Buffer.concat([Buffer.of(2), Buffer.alloc(20, 0xff)])],
    ["a length without end", Buffer.concat([Buffer.of(2, 1), Buffer.alloc(20, 0xff)])],
    ["a length over 64 KiB", Buffer.from("0201818004", "hex")],
    [
      "a length over 64 KiB, with its data",
      Buffer.concat([Buffer.from("0201818004", "hex"), Buffer.alloc(65537)]),
    ],
  ];
  for (const [what, bytes] of rows) {
    it(`are refused, cut off or not: ${what}`, () => {
      for (const partial of [true, false]) {
        assert.throws(() => decodeFrames(bytes, { partial }), { code: "recording-malformed" });
      }
    });
  }

  it("never throw anything but our error, and never lose count of the bytes", () => {
    const near = fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.nat(), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(near, fc.boolean(), ([noise, at, mask], partial) => {
        const bytes = Buffer.concat([good, noise]);
        bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ mask;
        try {
          const { frames, rest } = decodeFrames(bytes, { partial });
          assert.ok(encodeFrames(frames).length + rest <= bytes.length);
          if (!partial) assert.equal(rest, 0);
        } catch (error) {
          assert.ok(error instanceof SallyportError && error.code === "recording-malformed");
        }
      }),
      { numRuns: 2000 },
    );
  });
});
