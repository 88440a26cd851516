import { mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import { Id, SessionId } from "@sallyport/core/names.ts";

/** Where the blocks of a recording are. Both parts are identifiers of ours, and nothing else gets into a path. */
export function recordingFile(directory: string, hostId: string, sessionId: string): string {
  return join(directory, Id.parse(hostId), `${SessionId.parse(sessionId)}.spr`);
}

/**
 * Appends at `length`, and returns when the bytes are on the disk. What stands behind `length` is from before a crash
 * and was never acknowledged: it is cut off. Code `recording-malformed` when the file is shorter than that.
 */
export async function appendDurably(
  file: string,
  length: number,
  chunks: readonly Uint8Array[],
): Promise<void> {
  if (length === 0) await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(file, length === 0 ? "w" : "r+", 0o600).catch((cause: unknown) => {
    throw isMissing(cause) ? damaged(file, length, 0, cause) : cause;
  });
  try {
    const { size } = await handle.stat();
    if (size < length) throw damaged(file, length, size);
    if (size > length) await handle.truncate(length);
    let at = length;
    for (const chunk of chunks) {
      for (let done = 0; done < chunk.length; ) {
        const { bytesWritten } = await handle.write(chunk, done, chunk.length - done, at);
        done += bytesWritten;
        at += bytesWritten;
      }
    }
    await handle.datasync();
  } finally {
    await handle.close();
  }
  if (length === 0) await syncDirectories(dirname(file));
}

/** A new name is only durable when its directory is; and the host's directory may be new too. */
async function syncDirectories(directory: string): Promise<void> {
  for (const path of [directory, dirname(directory)]) {
    const handle = await open(path, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function damaged(file: string, length: number, size: number, cause?: unknown): SallyportError {
  const message = `The stored recording ${file} has ${size} bytes, but ${length} were stored: it was altered or lost.`;
  return new SallyportError("recording-malformed", message, { cause });
}
