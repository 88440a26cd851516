import type { KeyObject } from "node:crypto";
import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import { type Block, verifyBlockSignature } from "@sallyport/core/recording/block.ts";
import { CHAIN_START, type ChainPosition, extendChain } from "@sallyport/core/recording/chain.ts";
import type { EndRecord, StartRecord } from "@sallyport/core/recording/frame.ts";
import { endRecordIn, startRecordIn } from "./session-records.ts";

/** The host that a block came from, known by its sign-in. */
export interface SendingHost {
  id: string;
  name: string;
  key: KeyObject;
}

/** What is stored of a recording. */
export interface StoredState {
  hostId: string;
  chain: ChainPosition;
  /** Hash of a stored block, for telling a repeated one from a different one. */
  hashOf(sequence: number): Uint8Array | undefined;
}

/** What to do with the blocks that came together: which to append, and which can never be stored, and why. */
export interface Judgement {
  accepted: Block[];
  chain: ChainPosition;
  start: StartRecord | undefined;
  end: EndRecord | undefined;
  rejected: Map<Block, SallyportError>;
}

/**
 * Judges blocks of one recording in the order in which they came. A block that is stored already is neither accepted
 * nor rejected; nor is one that comes too early, for it can be stored later: both are answered with the offset.
 */
export function judgeBlocks(
  incoming: readonly { host: SendingHost; block: Block }[],
  stored: StoredState | undefined,
): Judgement {
  const judgement: Judgement = {
    accepted: [],
    chain: stored?.chain ?? CHAIN_START,
    start: undefined,
    end: undefined,
    rejected: new Map(),
  };
  for (const { host, block } of incoming) {
    try {
      checkOwner(host, judgement.start?.host.id ?? stored?.hostId);
      verifyBlockSignature(block, host.key);
      if (block.sequence < judgement.chain.nextSequence) checkRepeated(block, judgement, stored);
      else if (block.sequence === judgement.chain.nextSequence || judgement.chain.complete)
        append(block, host, judgement);
    } catch (error) {
      if (!isSallyportError(error)) throw error;
      judgement.rejected.set(block, error);
    }
  }
  return judgement;
}

function append(block: Block, host: SendingHost, judgement: Judgement): void {
  const chain = extendChain(judgement.chain, block);
  const start = block.sequence === 0 ? startRecordIn(block, host) : judgement.start;
  const end = block.last ? endRecordIn(block) : undefined;
  Object.assign(judgement, { chain, start, end });
  judgement.accepted.push(block);
}

function checkOwner(host: SendingHost, owner: string | undefined): void {
  if (owner !== undefined && owner !== host.id) {
    throw new SallyportError("forbidden", "This recording belongs to another host.");
  }
}

function checkRepeated(block: Block, judgement: Judgement, stored: StoredState | undefined): void {
  const fresh = judgement.accepted.find(({ sequence }) => sequence === block.sequence);
  const hash = fresh?.hash ?? stored?.hashOf(block.sequence);
  if (hash !== undefined && Buffer.from(hash).equals(block.hash)) return;
  throw new SallyportError(
    "recording-broken-chain",
    `Block ${block.sequence} differs from the one that is stored.`,
  );
}
