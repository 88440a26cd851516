import { closeSync, openSync, readSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import {
  BLOCK_HEAD_LENGTH,
  type Block,
  blockFrames,
  blockLengthAt,
  MAX_BLOCK,
  parseBlock,
} from "@sallyport/core/recording/block.ts";
import { decodeFrames, type Frame } from "@sallyport/core/recording/frame.ts";

/** The first `length` bytes of a stored recording, block by block; one block is in memory at a time. */
export function* storedBlocks(file: string, length: number): Generator<Block> {
  const descriptor = openSync(file, "r");
  try {
    for (let at = 0; at < length; ) {
      const size = sizeAt(descriptor, at);
      if (size === undefined || at + size > length) throw cutOff(at);
      const block = Buffer.allocUnsafe(size);
      if (readSync(descriptor, block, 0, size, at) !== size) throw cutOff(at);
      yield parseBlock(block);
      at += size;
    }
  } finally {
    closeSync(descriptor);
  }
}

/** All frames of a stored recording in order. */
export function* storedFrames(file: string, length: number): Generator<Frame> {
  for (const block of storedBlocks(file, length)) yield* decodeFrames(blockFrames(block)).frames;
}

/** The hash of one stored block. Hops over the others by their heads. */
export function storedBlockHash(file: string, sequence: number): Uint8Array {
  const descriptor = openSync(file, "r");
  try {
    let at = 0;
    for (let skipped = 0; skipped < sequence; skipped++) at += sizeAt(descriptor, at) ?? fail(at);
    const block = Buffer.allocUnsafe(sizeAt(descriptor, at) ?? fail(at));
    readSync(descriptor, block, 0, block.length, at);
    return parseBlock(block).hash;
  } finally {
    closeSync(descriptor);
  }
}

function sizeAt(descriptor: number, at: number): number | undefined {
  const head = Buffer.allocUnsafe(BLOCK_HEAD_LENGTH);
  if (readSync(descriptor, head, 0, head.length, at) !== head.length) return undefined;
  const size = blockLengthAt(head, 0);
  return size !== undefined && size <= MAX_BLOCK ? size : undefined;
}

function fail(at: number): never {
  throw cutOff(at);
}

function cutOff(at: number): SallyportError {
  return new SallyportError("recording-malformed", `The stored recording is damaged at byte ${at}.`);
}
