import { createReadStream } from "node:fs";
import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import { BLOCK_HEAD_LENGTH, blockLengthAt, MAX_BLOCK } from "@sallyport/core/recording/block.ts";
import type { Append, BlockStorage, RecordingName, StoredPart } from "./block-storage.ts";
import { appendDurably, recordingFile } from "./recording-files.ts";

const CHUNK = 64 * 1024;

/** Recordings in a directory of this machine: one file each, which only grows. It takes one writer of a file at a time. */
export class DirectoryStorage implements BlockStorage {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async append({ length, blocks, ...recording }: Append): Promise<readonly StoredPart[]> {
    await appendDurably(this.#file(recording), length, blocks);
    return [];
  }

  async *read(recording: RecordingName, from: number, to: number): AsyncGenerator<Uint8Array> {
    if (to <= from) return;
    const file = this.#file(recording);
    let at = from;
    // Looked at first: an error of opening would otherwise come to nobody while a reader does not ask.
    const size = await stat(file).then(
      (found) => found.size,
      () => 0,
    );
    if (size > from) {
      const end = Math.min(to, size) - 1;
      const stream = createReadStream(file, { start: from, end, highWaterMark: CHUNK });
      for await (const chunk of stream) {
        at += chunk.length;
        yield chunk;
      }
    }
    if (at < to) throw damaged(at);
  }

  /** Hops over the blocks before by their heads. */
  async nearest(
    recording: RecordingName,
    sequence: number,
    length: number,
  ): Promise<{ sequence: number; start: number }> {
    const handle = await open(this.#file(recording), "r");
    try {
      let start = 0;
      for (let skipped = 0; skipped < sequence; skipped++) start += await blockLength(handle, start, length);
      return { sequence, start };
    } finally {
      await handle.close();
    }
  }

  async remove(recording: RecordingName): Promise<void> {
    const file = this.#file(recording);
    await rm(file, { force: true });
    // The name has to be gone for good before the database says so.
    const directory = await open(dirname(file), "r").catch(() => undefined);
    await directory?.sync();
    await directory?.close();
  }

  #file({ hostId, session }: RecordingName): string {
    return recordingFile(this.#directory, hostId, session);
  }
}

async function blockLength(handle: FileHandle, start: number, length: number): Promise<number> {
  const head = Buffer.alloc(BLOCK_HEAD_LENGTH);
  const { bytesRead } = await handle.read(head, 0, head.length, start);
  const size = bytesRead === head.length ? blockLengthAt(head, 0) : undefined;
  if (size === undefined || size > MAX_BLOCK || start + size > length) throw damaged(start);
  return size;
}

function damaged(at: number): SallyportError {
  return new SallyportError("recording-malformed", `The stored recording is damaged at byte ${at}.`);
}
