import { closeSync, fdatasync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";

/** fdatasync(2), off the main thread. */
export const syncData: (fd: number) => Promise<void> = promisify(fdatasync);

/** Like {@link syncDirectory} for several, off the main thread. */
export async function syncDirectories(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await using directory = await open(path, "r");
    await directory.sync();
  }
}

/** Writes a file so that it is either the old one or the new one, whole, also after power loss. */
export function writeFileDurably(path: string, data: string | Uint8Array, mode = 0o600): void {
  const temporary = `${path}.new`;
  try {
    writeWhole(temporary, typeof data === "string" ? Buffer.from(data) : data, mode);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true }); // a full disk needs the room
    throw error;
  }
  syncDirectory(dirname(path));
}

function writeWhole(path: string, bytes: Uint8Array, mode: number): void {
  const fd = openSync(path, "w", mode);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Makes names created, renamed or removed in a directory survive power loss. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
