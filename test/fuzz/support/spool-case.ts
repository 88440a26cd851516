import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SessionId } from "@sallyport/core/names.ts";
import { BLOCK_HEAD_LENGTH, type Block, NO_HASH, sealBlock } from "@sallyport/core/recording/block.ts";
import { encodeFrame, type Frame, FrameKind } from "@sallyport/core/recording/frame.ts";
import { END, hostKeys, startRecord } from "../../unit/uplink/spool/spool.ts";

/** The recording that all cases are about. */
export const SESSION: SessionId = SessionId.parse(`ses_${"0".repeat(25)}1`);
const OTHER: SessionId = SessionId.parse(`ses_${"0".repeat(25)}2`);

/** The frames of block `sequence`. */
function framesOf(session: SessionId, sequence: number, last: boolean): Frame[] {
  if (sequence === 0)
    return [{ kind: FrameKind.start, time: 0, data: Buffer.from(JSON.stringify(startRecord(session))) }];
  const lines = [0, 1, 2].map((index): Frame => {
    const number = sequence * 3 + index;
    const kind = index === 1 ? FrameKind.input : FrameKind.output;
    return { kind, time: number * 1000, data: Buffer.from(`${session.slice(-1)} line ${number}\n`) };
  });
  const end: Frame = { kind: FrameKind.end, time: 90_000, data: Buffer.from(JSON.stringify(END)) };
  return last ? [...lines, end] : lines;
}

const encoded = (frames: Frame[]): Buffer => Buffer.concat(frames.map(encodeFrame));

/** Seals frames into blocks of a chain; `last` marks the final one. */
function chain(session: SessionId, contents: Frame[][], last: boolean): Block[] {
  let previousHash: Uint8Array = NO_HASH;
  return contents.map((frames, sequence) => {
    const final = last && sequence === contents.length - 1;
    const raw = encoded(frames);
    const block = sealBlock(
      { session, sequence, last: final, frameCount: frames.length, raw, previousHash },
      hostKeys.privateKey,
    );
    previousHash = block.hash;
    return block;
  });
}

/** A recording as some recorder left it in the spool. */
export interface Left {
  name: string;
  sealed: Block[];
  /** Raw frames, by the number in the file's name. */
  open: Map<number, Buffer>;
  /** Everything that was recorded, in order, without an end record. */
  recorded: Frame[];
}

/** `sealed` blocks of `total` are in the file of blocks; `starts` are the numbers that files of raw frames begin with. */
function left(name: string, sealed: number, total: number, starts: number[], ended = false): Left {
  const contents = Array.from({ length: total }, (_, n) => framesOf(SESSION, n, ended && n === total - 1));
  const open = new Map(
    starts.map((start, index) => [start, encoded(contents.slice(start, starts[index + 1] ?? total).flat())]),
  );
  const recorded = contents.flat().filter(({ kind }) => kind !== FrameKind.end);
  return { name, sealed: chain(SESSION, contents, ended).slice(0, sealed), open, recorded };
}

/** Every state that a lost recorder may leave behind. */
export const STATES: Left[] = [
  left("only raw frames", 0, 3, [0]),
  left("sealed blocks and the next one's raw frames", 3, 4, [3]),
  left("raw frames of sealed blocks as well", 3, 5, [1, 4]),
  left("one file of raw frames for all", 4, 6, [0]),
  left("sealed blocks alone", 4, 4, []),
  left("an end that is not sealed", 2, 4, [2], true),
  left("an end that is sealed", 4, 4, [], true),
  left("an end that is sealed, and raw frames", 4, 4, [2], true),
];

/** Another recording by the same host, whole: each block is good, and none belongs here. */
export const FOREIGN: Block[] = chain(
  OTHER,
  [0, 1, 2, 3].map((n) => framesOf(OTHER, n, n === 3)),
  true,
);
/** Blocks of the same session in a chain of its own, all but the first: good by themselves, and wrong in any place. */
export const ALTERNATE: Block[] = chain(
  SESSION,
  [0, 1, 2, 3].map((n) => framesOf(OTHER, n, false).map((one) => ({ ...one, time: one.time + 1 }))),
  false,
).slice(1);

/** The fields of a block's header that are numbers: where they are, and how long. */
export const HEADER_FIELDS: [offset: number, length: number][] = [
  [0, 4], // magic
  [4, 30], // session
  [34, 4], // sequence
  [38, 1], // flags
  [39, 4], // frames
  [43, 4], // raw length
  [47, 4], // payload length
  [51, BLOCK_HEAD_LENGTH - 51], // hash of the block before
];

/** Puts such files into a spool, in place of what was there. */
export function place(spool: string, files: ReadonlyMap<string, Uint8Array>): string {
  const directory = join(spool, SESSION);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  for (const [name, bytes] of files) writeFileSync(join(directory, name), bytes);
  return directory;
}
