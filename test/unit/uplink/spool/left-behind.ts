import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SessionId } from "@sallyport/core/names.ts";
import { type Block, NO_HASH, sealBlock } from "@sallyport/core/recording/block.ts";
import { encodeFrame, type Frame, FrameKind } from "@sallyport/core/recording/frame.ts";
import { BLOCKS_FILE, openBlockPath } from "@sallyport/uplink/spool/layout.ts";
import { hostKeys, newSession, startRecord } from "./spool.ts";

/** A recording as a lost recorder left it. */
export interface LeftBehind {
  session: SessionId;
  directory: string;
  /** The blocks in `blocks`, in order. */
  blocks: Block[];
}

export const line = (number: number): Frame => ({
  kind: FrameKind.output,
  time: number * 1000,
  data: Buffer.from(`line ${number}\n`),
});

export function encoded(...frames: Frame[]): Uint8Array {
  return Buffer.concat(frames.map(encodeFrame));
}

/** The frames of block `sequence` of every recording here: the start record, then three lines in each block. */
export function framesOf(session: SessionId, sequence: number): Frame[] {
  if (sequence === 0) {
    return [{ kind: FrameKind.start, time: 0, data: Buffer.from(JSON.stringify(startRecord(session))) }];
  }
  return [0, 1, 2].map((index) => line(sequence * 3 - 2 + index));
}

/** The first blocks of a recording; with `noise`, bytes that do not compress are added to each. */
export function sealedBlocks(session: SessionId, count: number, noise = 0): Block[] {
  let previousHash: Uint8Array = NO_HASH;
  return Array.from({ length: count }, (_, sequence) => {
    const frames = framesOf(session, sequence);
    if (noise > 0) frames.push({ kind: FrameKind.output, time: sequence * 3000, data: randomBytes(noise) });
    const content = { session, sequence, last: false, frameCount: frames.length, raw: encoded(...frames) };
    const block = sealBlock({ ...content, previousHash }, hostKeys.privateKey);
    previousHash = block.hash;
    return block;
  });
}

/** Leaves a recording with so many sealed blocks, and these raw ones; by default the next one only. */
export function leaveBehind(spool: string, sealed: number, open: number[] = [sealed]): LeftBehind {
  const session = newSession();
  const directory = join(spool, session);
  mkdirSync(directory);
  const blocks = sealedBlocks(session, sealed);
  writeFileSync(join(directory, BLOCKS_FILE), Buffer.concat(blocks.map((block) => block.bytes)));
  for (const sequence of open)
    writeFileSync(openBlockPath(directory, sequence), encoded(...framesOf(session, sequence)));
  return { session, directory, blocks };
}

/** A second spool with a copy of the recording, to be harmed. */
export function copyTo(spool: string, { session, directory }: LeftBehind): string {
  cpSync(directory, join(spool, session), { recursive: true });
  return join(spool, session);
}
