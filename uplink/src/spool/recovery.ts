import type { KeyObject } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  truncateSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import type { SessionId } from "@sallyport/core/names.ts";
import {
  blockFrames,
  blockLengthAt,
  MAX_BLOCK,
  NO_HASH,
  parseBlock,
  sealBlock,
} from "@sallyport/core/recording/block.ts";
import { splitBlocks } from "@sallyport/core/recording/chain.ts";
import { decodeFrames, type EndRecord, encodeFrame, FrameKind } from "@sallyport/core/recording/frame.ts";
import { syncDirectory } from "./durable.ts";
import { BLOCKS_FILE, listOpenBlocks, openBlockPath } from "./layout.ts";

/** What {@link recoverRecording} did. */
export interface Recovered {
  /** Blocks sealed from raw frames that the lost recorder left. */
  sealed: number;
  /** Bytes at the end of a file that were cut off in mid-write and hold no whole frame. */
  discarded: number;
}

interface Tail {
  sequence: number;
  hash: Uint8Array;
  complete: boolean;
  discarded: number;
}

/**
 * Closes a recording whose recorder is gone: cuts a half-written block off `blocks`, seals the raw frames that were
 * left (they were shown, so they count), and adds an end record. Running it again after a crash in the middle gives
 * the same result. Returns null when the recording was closed already. Files that make no sense are left as they are
 * and the error is the caller's to report.
 */
export function recoverRecording(
  spool: string,
  session: SessionId,
  hostKey: KeyObject,
  end: Omit<EndRecord, "endedAt">,
  startedAtOf: (firstFrame: Uint8Array) => number,
): Recovered | null {
  const directory = join(spool, session);
  const tail = readTail(join(directory, BLOCKS_FILE));
  let { sequence, hash } = tail;
  const result: Recovered = { sealed: 0, discarded: tail.discarded };
  const open = listOpenBlocks(directory);
  if (tail.complete) {
    removeOpenBlocks(directory, open);
    return null;
  }

  const append = (raw: Uint8Array, frameCount: number, last: boolean): void => {
    const block = sealBlock({ session, sequence, last, frameCount, raw, previousHash: hash }, hostKey);
    appendDurably(join(directory, BLOCKS_FILE), block.bytes);
    sequence++;
    hash = block.hash;
    result.sealed++;
  };
  let lastTime = tail.sequence === 0 ? 0 : lastTimeOf(join(directory, BLOCKS_FILE));
  let startedAt = tail.sequence === 0 ? 0 : startedAtOf(firstFrameOf(join(directory, BLOCKS_FILE)));
  for (const number of open) {
    if (number < sequence) continue; // sealed before the crash, only its raw frames were not removed yet
    const bytes = readFileSync(openBlockPath(directory, number));
    const { frames, rest } = decodeFrames(bytes, { partial: true });
    result.discarded += rest;
    if (frames.length === 0) continue;
    if (sequence === 0 && frames[0]) startedAt = startedAtOf(frames[0].data);
    lastTime = frames.at(-1)?.time ?? lastTime;
    append(bytes.subarray(0, bytes.length - rest), frames.length, false);
  }
  const record: EndRecord = { ...end, endedAt: startedAt + lastTime / 1000 };
  append(
    encodeFrame({ kind: FrameKind.end, time: lastTime, data: Buffer.from(JSON.stringify(record)) }),
    1,
    true,
  );
  removeOpenBlocks(directory, open);
  return result;
}

function readTail(path: string): Tail {
  const bytes = readFileSync(path, { flag: "a+" });
  let at = 0;
  let sequence = 0;
  let hash: Uint8Array = NO_HASH;
  let complete = false;
  for (;;) {
    const length = blockLengthAt(bytes, at);
    if (length === undefined || length > MAX_BLOCK || at + length > bytes.length) break;
    const block = parseBlock(bytes.subarray(at, at + length));
    at += length;
    sequence = block.sequence + 1;
    hash = block.hash;
    complete = block.last;
  }
  if (at < bytes.length) truncateSync(path, at);
  return { sequence, hash, complete, discarded: bytes.length - at };
}

function* framesOf(path: string): Generator<{ time: number; data: Uint8Array }> {
  for (const block of splitBlocks(readFileSync(path))) yield* decodeFrames(blockFrames(block)).frames;
}

function firstFrameOf(path: string): Uint8Array {
  for (const frame of framesOf(path)) return frame.data;
  return new Uint8Array();
}

function lastTimeOf(path: string): number {
  let time = 0;
  for (const frame of framesOf(path)) time = frame.time;
  return time;
}

function removeOpenBlocks(directory: string, numbers: number[]): void {
  for (const number of numbers) unlinkSync(openBlockPath(directory, number));
}

function appendDurably(path: string, bytes: Uint8Array): void {
  appendFileSync(path, bytes);
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  syncDirectory(join(path, ".."));
}
