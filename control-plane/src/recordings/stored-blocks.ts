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
import type { BlockStorage, RecordingName } from "./block-storage.ts";

/** Cuts the bytes of a recording, as they come, into its blocks; `start` is where they begin. One block is in memory at a time. */
export async function* blocksOf(bytes: AsyncIterable<Uint8Array>, start = 0): AsyncGenerator<Block> {
  let held = Buffer.alloc(0);
  let at = start;
  for await (const piece of bytes) {
    held = held.length === 0 ? Buffer.from(piece) : Buffer.concat([held, piece]);
    for (let size = sizeOf(held, at); size !== undefined && size <= held.length; size = sizeOf(held, at)) {
      // A copy of its own: a block outlives the bytes that it came with.
      yield parseBlock(Buffer.from(held.subarray(0, size)));
      held = held.subarray(size);
      at += size;
    }
  }
  if (held.length > 0) throw damaged(at);
}

/** All frames of the first `length` bytes of a stored recording, in order. */
export async function* storedFrames(
  storage: BlockStorage,
  recording: RecordingName,
  length: number,
): AsyncGenerator<Frame> {
  for await (const block of blocksOf(storage.read(recording, 0, length)))
    yield* decodeFrames(blockFrames(block)).frames;
}

/** The hash of one block among the first `length` bytes of a stored recording. */
export async function storedBlockHash(
  storage: BlockStorage,
  recording: RecordingName,
  sequence: number,
  length: number,
): Promise<Uint8Array> {
  const { start } = await storage.nearest(recording, sequence, length);
  for await (const block of blocksOf(storage.read(recording, start, length), start)) {
    if (block.sequence === sequence) return block.hash;
    if (block.sequence > sequence) break;
  }
  throw damaged(start);
}

function sizeOf(bytes: Buffer, at: number): number | undefined {
  if (bytes.length < BLOCK_HEAD_LENGTH) return undefined;
  const size = blockLengthAt(bytes, 0);
  if (size === undefined || size > MAX_BLOCK) throw damaged(at);
  return size;
}

function damaged(at: number): SallyportError {
  return new SallyportError("recording-malformed", `The stored recording is damaged at byte ${at}.`);
}
