import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, readlink } from "node:fs/promises";

/** open(2): a descriptor that only says which file it is. Node has no name for it; the same number on x86-64 and arm64. */
const O_PATH = 0o10000000;
const CHUNK = 1024 * 1024;

export interface FileDigest {
  bytes: number;
  /** Hexadecimal. */
  sha256: string;
}

/**
 * Reads a file that an account has written or read, as root: only a regular file, only where it is still inside one of
 * `directories`, whatever the account has put in its path since, and not beyond the size that it has at first. Null for
 * anything else, for one that changed meanwhile, and when `signal` says that it takes too long.
 */
export async function digestOf(
  path: string | Buffer,
  directories: readonly string[],
  signal: AbortSignal,
): Promise<FileDigest | null> {
  let named: FileHandle | undefined;
  let file: FileHandle | undefined;
  try {
    // First without opening it: a device or a pipe would notice.
    named = await open(path, O_PATH | constants.O_NOFOLLOW);
    if (!(await named.stat()).isFile()) return null;
    const real = await readlink(`/proc/self/fd/${named.fd}`, { encoding: "buffer" });
    if (!directories.some((directory) => holds(directory, real))) return null;
    file = await open(`/proc/self/fd/${named.fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
    return await digest(file, signal);
  } catch {
    return null;
  } finally {
    await file?.close();
    await named?.close();
  }
}

async function digest(file: FileHandle, signal: AbortSignal): Promise<FileDigest | null> {
  const before = await file.stat({ bigint: true });
  const hash = createHash("sha256");
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK, Math.max(1, Number(before.size))));
  let bytes = 0;
  while (bytes < before.size) {
    if (signal.aborted) return null;
    const { bytesRead } = await file.read(chunk, 0, chunk.length, bytes);
    if (bytesRead === 0) return null;
    hash.update(chunk.subarray(0, bytesRead));
    bytes += bytesRead;
  }
  const after = await file.stat({ bigint: true });
  if (after.size !== before.size || after.mtimeNs !== before.mtimeNs) return null;
  return { bytes, sha256: hash.digest("hex") };
}

function holds(directory: string, path: Buffer): boolean {
  const held = path.toString("latin1");
  const by = Buffer.from(directory).toString("latin1");
  return by === "/" || held === by || held.startsWith(`${by}/`);
}
