import assert from "node:assert/strict";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import fc from "fast-check";
import { exported } from "./exported.ts";
import { endFrame, frame, output, startFrame } from "./recordings.ts";

describe("a raw export", () => {
  it("is what was shown, byte for byte, and nothing that was typed", () => {
    const shown = [FrameKind.output, FrameKind.error, FrameKind.message];
    const any = fc.record({
      kind: fc.constantFrom(...Object.values(FrameKind).filter((kind) => kind !== FrameKind.start), 200),
      time: fc.nat(),
      data: fc.uint8Array({ maxLength: 50 }),
    });
    fc.assert(
      fc.property(fc.array(any), (frames) => {
        const expected = frames
          .filter(({ kind }) => shown.some((one) => one === kind))
          .map(({ data }) => data);
        assert.deepEqual(exported([startFrame(), ...frames], "raw"), Buffer.concat(expected));
      }),
    );
  });

  it("keeps bytes that are no text", () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
    const frames = [startFrame(), output(1, bytes), frame(FrameKind.input, 2, "secret"), endFrame(3)];
    assert.deepEqual(exported(frames, "raw"), bytes);
  });
});
