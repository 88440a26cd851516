import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import type { SessionId } from "@sallyport/core/names.ts";
import {
  BLOCK_HEAD_LENGTH,
  type Block,
  blockFrames,
  blockLengthAt,
  MAX_BLOCK,
  parseBlock,
} from "@sallyport/core/recording/block.ts";
import { CHAIN_START, type ChainPosition, extendChain } from "@sallyport/core/recording/chain.ts";
import { decodeFrames, type Frame } from "@sallyport/core/recording/frame.ts";

/** What a file of sealed blocks holds, up to the first block that is cut off or makes no sense. */
export interface SealedBlocks {
  /** Where the chain stands behind the blocks that make sense. */
  position: ChainPosition;
  /** Bytes of those blocks. */
  length: number;
  /** How many bytes of frames each of them has. */
  rawLengths: number[];
  first: Frame | undefined;
  last: Block | undefined;
  /** What is wrong with what comes behind them. */
  damage: SallyportError | undefined;
}

/**
 * Reads a recording's sealed blocks, one at a time, and checks their form and chain. Of the signatures only the last
 * one, which through the chain covers the content of all: checking each takes seconds for a long recording, and whoever
 * stores it checks them anyway. A file that is not there holds none.
 */
export function readSealedBlocks(
  path: string,
  session: SessionId,
  verifySignature: (block: Block) => void,
): SealedBlocks {
  const fd = openIfThere(path);
  if (fd === undefined) return nothing();
  try {
    const sealed = readChain(fd, session, fstatSync(fd).size);
    try {
      if (sealed.last !== undefined) verifySignature(sealed.last);
      return sealed;
    } catch (error) {
      const damage = damageOf(error);
      return { ...readChain(fd, session, sealed.length - (sealed.last?.bytes.length ?? 0)), damage };
    }
  } finally {
    closeSync(fd);
  }
}

function nothing(): SealedBlocks {
  const none = { first: undefined, last: undefined, damage: undefined };
  return { position: CHAIN_START, length: 0, rawLengths: [], ...none };
}

function readChain(fd: number, session: SessionId, size: number): SealedBlocks {
  const sealed = nothing();
  try {
    while (sealed.length < size) {
      const { nextSequence } = sealed.position;
      const block = readBlock(fd, sealed.length, size, nextSequence);
      if (block.session !== session) throw broken(`Block ${nextSequence} belongs to another recording.`);
      const position = extendChain(sealed.position, block);
      const first = sealed.first ?? decodeFrames(blockFrames(block)).frames[0];
      sealed.rawLengths.push(block.rawLength);
      Object.assign(sealed, { position, first, last: block, length: sealed.length + block.bytes.length });
    }
  } catch (error) {
    sealed.damage = damageOf(error);
  }
  return sealed;
}

function readBlock(fd: number, offset: number, size: number, sequence: number): Block {
  const head = Buffer.allocUnsafe(BLOCK_HEAD_LENGTH);
  const length =
    readSync(fd, head, 0, head.length, offset) < head.length ? undefined : blockLengthAt(head, 0);
  if (length === undefined || length > MAX_BLOCK || offset + length > size) {
    throw new SallyportError("recording-malformed", `Block ${sequence} is cut off or its header is damaged.`);
  }
  const bytes = Buffer.allocUnsafe(length);
  readSync(fd, bytes, 0, length, offset);
  return parseBlock(bytes);
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** The error when it is about the data; one of the disk is passed on. */
function damageOf(error: unknown): SallyportError {
  if (isSallyportError(error)) return error;
  throw error;
}

function broken(message: string): SallyportError {
  return new SallyportError("recording-broken-chain", message);
}
