import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { type ExportFormat, exportRecording } from "@sallyport/core/recording/export.ts";
import { storedFrames } from "./stored-blocks.ts";

const CHUNK = 64 * 1024;

/** The stored blocks of a recording as they are; what was not acknowledged yet is left out. */
export function recordingStream(file: string, length: number): ReadableStream<Uint8Array> {
  const stream = createReadStream(file, { start: 0, end: Math.max(0, length - 1), highWaterMark: CHUNK });
  return Readable.toWeb(stream) as ReadableStream<Uint8Array>;
}

/** A recording in another format, made while it is read: never more than a block of it is in memory. */
export function exportStream(file: string, length: number, format: ExportFormat): ReadableStream<Uint8Array> {
  const pieces = exportRecording(storedFrames(file, length), format);
  return new ReadableStream({
    pull(controller) {
      const chunk: Uint8Array[] = [];
      for (let size = 0; size < CHUNK; size += chunk.at(-1)?.length ?? 0) {
        const next = pieces.next();
        if (next.done) {
          if (chunk.length > 0) controller.enqueue(Buffer.concat(chunk));
          return controller.close();
        }
        chunk.push(next.value);
      }
      controller.enqueue(Buffer.concat(chunk));
    },
    cancel() {
      // Ends the generator, which closes the file.
      pieces.return(undefined);
    },
  });
}
