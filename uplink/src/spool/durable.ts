import { closeSync, fdatasync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";

/** fdatasync(2), off the main thread. */
export const syncData: (fd: number) => Promise<void> = promisify(fdatasync);

/** Writes a file so that it is either the old one or the new one, whole, also after power loss. */
export function writeFileDurably(path: string, data: string | Uint8Array, mode = 0o600): void {
  const temporary = `${path}.new`;
  const fd = openSync(temporary, "w", mode);
  try {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
  syncDirectory(dirname(path));
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
