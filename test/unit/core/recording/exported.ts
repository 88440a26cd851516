import { type ExportFormat, exportRecording } from "@sallyport/core/recording/export.ts";
import type { Frame } from "@sallyport/core/recording/frame.ts";

export function exported(frames: Iterable<Frame>, format: ExportFormat): Buffer {
  return Buffer.concat([...exportRecording(frames, format)]);
}

/** The lines of an asciicast, parsed. */
export function castLines(frames: Iterable<Frame>, format: "asciicast-v2" | "asciicast-v3"): unknown[] {
  const text = exported(frames, format).toString();
  if (!text.endsWith("\n")) throw new Error("the last line is not ended");
  return text
    .slice(0, -1)
    .split("\n")
    .map((line) => JSON.parse(line));
}
