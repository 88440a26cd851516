import assert from "node:assert/strict";
import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import { castLines, exported } from "./exported.ts";
import { endFrame, frame, output, startFrame } from "./recordings.ts";

const event = (time: number, value: SessionEvent) =>
  frame(FrameKind.event, time, Buffer.from(JSON.stringify(value)));
const frames = [
  startFrame(),
  event(1, { type: "command-started", line: "id", rules: ["id"], confined: "none" }),
  output(1_000_000, "uid=0"),
  event(2_000_000, { type: "command-ended", line: "id", exitStatus: 3, signal: null, limit: null }),
  frame(FrameKind.event, 3_000_000, Buffer.from('{"type":"of a later version"}')),
  endFrame(4_000_000),
];

describe("an export of a session with events", () => {
  it("has a marker for each in asciicast", () => {
    const markers = castLines(frames, "asciicast-v2").filter(
      (line) => Array.isArray(line) && line[1] === "m",
    );
    assert.deepEqual(markers, [
      [0.000001, "m", "$ id"],
      [2, "m", "ended with status 3"],
    ]);
  });

  it("has a line of its own for each in text", () => {
    assert.equal(exported(frames, "text").toString(), "[$ id]\nuid=0\n[ended with status 3]\n");
  });

  it("has nothing of them in raw", () => assert.equal(exported(frames, "raw").toString(), "uid=0"));
});
