import type { KeyObject } from "node:crypto";
import { SallyportError } from "../errors.ts";
import {
  type Block,
  blockFrames,
  blockLengthAt,
  NO_HASH,
  parseBlock,
  verifyBlockSignature,
} from "./block.ts";
import { decodeFrames, type Frame } from "./frame.ts";

/** Where a chain of blocks stands: what the next block must fit. */
export interface ChainPosition {
  nextSequence: number;
  hash: Uint8Array;
  complete: boolean;
}

export const CHAIN_START: ChainPosition = { nextSequence: 0, hash: NO_HASH, complete: false };

/** Where the chain stands after `block`, if the block fits. Code `recording-broken-chain`, naming the block. */
export function extendChain(position: ChainPosition, block: Block): ChainPosition {
  if (position.complete) {
    throw new SallyportError(
      "recording-broken-chain",
      `Block ${block.sequence} comes after the end of the recording.`,
    );
  }
  if (block.sequence !== position.nextSequence) {
    throw new SallyportError(
      "recording-broken-chain",
      `Block ${position.nextSequence} is missing: block ${block.sequence} stands in its place.`,
    );
  }
  if (!Buffer.from(block.previousHash).equals(position.hash)) {
    throw new SallyportError(
      "recording-broken-chain",
      `Block ${block.sequence} does not follow the block before it.`,
    );
  }
  return { nextSequence: block.sequence + 1, hash: block.hash, complete: block.last };
}

/** Cuts a stored recording into its blocks. Code `recording-malformed`, naming the block that is cut off or altered. */
export function* splitBlocks(bytes: Uint8Array): Generator<Block> {
  let sequence = 0;
  for (let at = 0; at < bytes.length; sequence++) {
    const length = blockLengthAt(bytes, at);
    if (length === undefined || at + length > bytes.length) {
      throw new SallyportError(
        "recording-malformed",
        `Block ${sequence} is cut off or its header is damaged.`,
      );
    }
    try {
      yield parseBlock(bytes.subarray(at, at + length));
    } catch (cause) {
      throw new SallyportError("recording-malformed", `Block ${sequence} is damaged.`, { cause });
    }
    at += length;
  }
}

/** What {@link verifyRecording} found to hold. */
export interface VerifiedRecording {
  blocks: number;
  frames: number;
  rawBytes: number;
  /** Hash of the last block, in hex: two copies with the same one are the same. */
  headHash: string;
  complete: boolean;
}

/**
 * Checks a whole recording: every block well-formed, in order, chained, signed by the host, and (unless `open`) ended.
 * Codes `recording-malformed`, `recording-broken-chain`, `recording-bad-signature`, `recording-incomplete`; each
 * message names the block.
 */
export function verifyRecording(
  bytes: Uint8Array,
  hostKey: KeyObject,
  options?: { open?: boolean },
): VerifiedRecording {
  let position = CHAIN_START;
  let frames = 0;
  let rawBytes = 0;
  let session: string | undefined;
  for (const block of splitBlocks(bytes)) {
    session ??= block.session;
    if (block.session !== session) {
      throw new SallyportError(
        "recording-broken-chain",
        `Block ${position.nextSequence} belongs to another recording.`,
      );
    }
    // The chain first: only then is a block's number the one of its place, and fit to name it.
    position = extendChain(position, block);
    verifyBlockSignature(block, hostKey);
    frames += countFrames(block);
    rawBytes += block.rawLength;
  }
  if (!position.complete && !options?.open) throw incomplete(position);
  return {
    blocks: position.nextSequence,
    frames,
    rawBytes,
    headHash: Buffer.from(position.hash).toString("hex"),
    complete: position.complete,
  };
}

function countFrames(block: Block): number {
  let count: number;
  try {
    count = decodeFrames(blockFrames(block)).frames.length;
  } catch (cause) {
    throw new SallyportError(
      "recording-malformed",
      `Block ${block.sequence} holds no frames that can be read.`,
      {
        cause,
      },
    );
  }
  if (count !== block.frameCount) {
    throw new SallyportError(
      "recording-malformed",
      `Block ${block.sequence} does not hold as many frames as it says.`,
    );
  }
  return count;
}

function incomplete(position: ChainPosition): SallyportError {
  const what =
    position.nextSequence === 0
      ? "The recording is empty."
      : `The recording stops after block ${position.nextSequence - 1}, without its end record.`;
  return new SallyportError("recording-incomplete", what);
}

/** All frames of a stored recording in order. Code `recording-malformed`. */
export function* recordingFrames(bytes: Uint8Array): Generator<Frame> {
  for (const block of splitBlocks(bytes)) yield* decodeFrames(blockFrames(block)).frames;
}
