import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { BLOCK_HEAD_LENGTH, blockLengthAt, MAX_BLOCK } from "@sallyport/core/recording/block.ts";

/*
 * Reads whole blocks out of a recording's `blocks`. The file is opened each time: thousands of recordings may wait for
 * upload, and descriptors are needed for logins.
 */

/** The block at a byte offset; undefined where no whole block is. Throws the disk's error. */
export function readBlockAt(path: string, offset: number): Uint8Array | undefined {
  return withFile(path, (fd) => {
    const length = blockLength(fd, offset);
    if (length === undefined) return undefined;
    const block = Buffer.allocUnsafe(length);
    return readSync(fd, block, 0, length, offset) === length ? block : undefined;
  });
}

/** Where block `sequence` begins, or the first one before it that is not whole. Throws the disk's error. */
export function seekBlock(path: string, sequence: number): { offset: number; next: number } {
  return withFile(path, (fd) => {
    let offset = 0;
    for (let next = 0; next < sequence; next++) {
      const length = blockLength(fd, offset);
      if (length === undefined) return { offset, next };
      offset += length;
    }
    return { offset, next: sequence };
  });
}

function blockLength(fd: number, offset: number): number | undefined {
  const head = Buffer.allocUnsafe(BLOCK_HEAD_LENGTH);
  if (readSync(fd, head, 0, head.length, offset) < head.length) return undefined;
  const length = blockLengthAt(head, 0);
  return length !== undefined && length <= MAX_BLOCK && offset + length <= fstatSync(fd).size
    ? length
    : undefined;
}

function withFile<T>(path: string, read: (fd: number) => T): T {
  const fd = openSync(path, "r");
  try {
    return read(fd);
  } finally {
    closeSync(fd);
  }
}
