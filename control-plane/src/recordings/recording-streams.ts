import { isSallyportError } from "@sallyport/core/errors.ts";
import { type ExportEvent, type ExportFormat, recordingExporter } from "@sallyport/core/recording/export.ts";
import type { Frame } from "@sallyport/core/recording/frame.ts";

const CHUNK = 64 * 1024;

/** Bytes as the body of an answer: read as fast as they are taken, and no further. */
export function asStream(bytes: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const pieces = bytes[Symbol.asyncIterator]();
  return new ReadableStream(
    {
      async pull(controller) {
        const next = await pieces.next();
        if (next.done) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        // Ends the generator, which closes what it reads from.
        await pieces.return?.();
      },
    },
    { highWaterMark: 1 },
  );
}

/**
 * Bytes of a stored recording as far as they are there: it is for whoever verifies them to see what is missing, and an answer
 * that breaks off would tell them nothing.
 */
export async function* untilDamage(
  bytes: AsyncIterable<Uint8Array>,
  onDamage: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } catch (error) {
    if (!isSallyportError(error, "recording-malformed")) throw error;
    onDamage(error);
  }
}

/** A recording in another format, made while it is read: never more than a block of it is in memory. */
export async function* exportedFrames(
  frames: AsyncIterable<Frame>,
  format: ExportFormat,
  events: readonly ExportEvent[] = [],
): AsyncGenerator<Uint8Array> {
  const exporter = recordingExporter(format, events);
  let pieces: Uint8Array[] = [];
  let size = 0;
  for await (const frame of frames) {
    for (const piece of exporter.frame(frame)) {
      pieces.push(piece);
      size += piece.length;
    }
    if (size < CHUNK) continue;
    yield Buffer.concat(pieces);
    pieces = [];
    size = 0;
  }
  pieces.push(...exporter.end());
  yield Buffer.concat(pieces);
}
