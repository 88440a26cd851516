import { createPublicKey, type KeyObject } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";
import { join } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { SessionId } from "@sallyport/core/names.ts";
import { blockFrames, sealBlock, verifyBlockSignature } from "@sallyport/core/recording/block.ts";
import {
  decodeFrames,
  type EndRecord,
  encodeFrame,
  type Frame,
  FrameKind,
  frameLength,
} from "@sallyport/core/recording/frame.ts";
import { syncDirectory } from "./durable.ts";
import { BLOCK_SIZE, BLOCKS_FILE, listOpenBlocks, openBlockPath } from "./layout.ts";
import { MAX_RAW_FILE } from "./raw-frames.ts";
import { readSealedBlocks, type SealedBlocks } from "./sealed-blocks.ts";

/** What {@link recoverRecording} did. */
export interface Recovered {
  /** Blocks sealed from raw frames that the lost recorder left, and for the end record. */
  sealed: number;
  /** Bytes at the end of a file that were cut off in mid-write and hold no whole frame. */
  discarded: number;
}

/** What a file of raw frames has that is not sealed yet. */
interface RawFrames {
  /** The block that the file's first frame belongs to. */
  number: number;
  /** Its frames, in blocks. */
  blocks: Frame[][];
  rest: number;
}

/**
 * Closes a recording whose recorder is gone: cuts a half-written block off `blocks`, seals the raw frames that were
 * left (they were shown, so they count), and adds an end record unless they hold one. Running it again after a crash in
 * the middle gives the same result. Returns null when the recording was closed already. Files that make no sense are
 * left as they are and the error, a SallyportError, is the caller's to report; an error of the disk is thrown as it is,
 * and recovery may be tried again.
 */
export function recoverRecording(
  spool: string,
  session: SessionId,
  hostKey: KeyObject,
  end: Omit<EndRecord, "endedAt">,
  startedAtOf: (firstFrame: Uint8Array) => number,
): Recovered | null {
  const directory = join(spool, session);
  const path = join(directory, BLOCKS_FILE);
  const publicKey = createPublicKey(hostKey);
  const open = listOpenBlocks(directory);
  const sealed = readSealedBlocks(path, session, (block) => verifyBlockSignature(block, publicKey));
  checkSynced(sealed, open[0]);
  let { nextSequence: sequence, hash } = sealed.position;
  const raw = open.map((number, index) => readRawFrames(directory, number, sealed, open[index + 1]));
  const frames = raw.flatMap(({ blocks }) => blocks.flat());
  checkNothingAfterEnd(sealed, frames);
  const first = sealed.first ?? frames[0];
  if (first?.kind !== FrameKind.start)
    throw new SallyportError("recording-malformed", "The recording has no start record.");
  const startedAt = startedAtOf(first.data);
  const lastTime = (frames.at(-1) ?? lastFrameOf(sealed))?.time ?? 0;

  // Everything makes sense; from here on files are changed.
  const result: Recovered = { sealed: 0, discarded: cutOff(path, sealed) };
  const append = (content: Frame[]): void => {
    const bytes = Buffer.concat(content.map(encodeFrame));
    const last = content.at(-1)?.kind === FrameKind.end;
    const block = sealBlock(
      { session, sequence, last, frameCount: content.length, raw: bytes, previousHash: hash },
      hostKey,
    );
    appendDurably(path, block.bytes);
    sequence++;
    hash = block.hash;
    result.sealed++;
  };
  const ended = sealed.position.complete || frames.at(-1)?.kind === FrameKind.end;
  for (const { number, blocks, rest } of raw) {
    result.discarded += rest;
    if (blocks.length === 0) continue;
    // The blocks before may be fewer than the lost recorder would have made. The name follows, so that running this
    // again knows which frames are sealed.
    if (number > sequence) renameSync(openBlockPath(directory, number), openBlockPath(directory, sequence));
    for (const content of blocks) append(content);
  }
  if (!ended) {
    const record: EndRecord = { ...end, endedAt: startedAt + lastTime / 1000 };
    const data = Buffer.from(JSON.stringify(record));
    append([{ kind: FrameKind.end, time: lastTime, data }]);
  }
  for (const number of listOpenBlocks(directory)) rmSync(openBlockPath(directory, number), { force: true });
  return sealed.position.complete ? null : result;
}

/**
 * A block's raw frames are removed only after it was synced. So what is wrong with blocks whose raw frames are there is
 * mended from them (most likely it was being written when the recorder was lost); what is wrong before them is damage.
 */
function checkSynced(sealed: SealedBlocks, oldestOpen: number | undefined): void {
  const { nextSequence } = sealed.position;
  if (oldestOpen !== undefined && nextSequence >= oldestOpen) return;
  if (sealed.damage !== undefined) throw sealed.damage;
  if (oldestOpen !== undefined)
    throw new SallyportError("recording-broken-chain", `Block ${nextSequence} is missing.`);
}

/** An end record is the last there is: frames behind it would make a recording that nobody can verify. */
function checkNothingAfterEnd(sealed: SealedBlocks, frames: readonly Frame[]): void {
  const end = frames.findIndex(({ kind }) => kind === FrameKind.end);
  if ((sealed.position.complete && frames.length > 0) || (end >= 0 && end < frames.length - 1))
    throw new SallyportError("recording-malformed", "There are frames behind the recording's end record.");
}

/** Reads the raw frames from block `number` up to, and without, block `next`, and passes over those that are sealed. */
function readRawFrames(
  directory: string,
  number: number,
  sealed: SealedBlocks,
  next: number | undefined,
): RawFrames {
  const path = openBlockPath(directory, number);
  if (statSync(path).size > MAX_RAW_FILE)
    throw new SallyportError(
      "recording-malformed",
      `The raw frames of block ${number} are too long to be any.`,
    );
  const bytes = readFileSync(path);
  const done = sealed.rawLengths.slice(number, next).reduce((sum, length) => sum + length, 0);
  const { frames, rest } = decodeFrames(bytes.subarray(done), { partial: true });
  return { number, blocks: intoBlocks(frames), rest };
}

/** Frames in blocks of the usual size: never more blocks than the recorder makes, which closes them by time as well. */
function intoBlocks(frames: readonly Frame[]): Frame[][] {
  const blocks: Frame[][] = [];
  let size = BLOCK_SIZE;
  for (const frame of frames) {
    if (size >= BLOCK_SIZE) {
      blocks.push([]);
      size = 0;
    }
    blocks.at(-1)?.push(frame);
    size += frameLength(frame.time, frame.data.length);
  }
  return blocks;
}

function lastFrameOf(sealed: SealedBlocks): Frame | undefined {
  return sealed.last === undefined ? undefined : decodeFrames(blockFrames(sealed.last)).frames.at(-1);
}

/** Cuts off what makes no sense at the end; returns how many bytes that was. */
function cutOff(path: string, sealed: SealedBlocks): number {
  if (sealed.damage === undefined) return 0;
  const discarded = statSync(path).size - sealed.length;
  truncateSync(path, sealed.length);
  return discarded;
}

function appendDurably(path: string, bytes: Uint8Array): void {
  appendFileSync(path, bytes, { mode: 0o600 });
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  syncDirectory(join(path, ".."));
}
