import { readdirSync } from "node:fs";
import { join } from "node:path";
import { SessionId } from "@sallyport/core/names.ts";

/*
 * A spool holds one directory per recording, named by its session:
 *
 *   blocks      sealed blocks one behind the other; only grows
 *   N.open      frames as they came, from those of block N on: written before they are shown, removed once every block
 *               that they belong to is in `blocks`; with a hole where frames came in bulk and went to `blocks` at once
 *   owner       pid and start time of the recorder that writes it
 */

/** A block is closed by the frame that brings its raw frames to this many bytes, if not by time before. */
export const BLOCK_SIZE: number = 64 * 1024;

/** Name of the file with the sealed blocks. */
export const BLOCKS_FILE = "blocks";
/** Name of the file that says which process writes. */
export const OWNER_FILE = "owner";

/** Path of the file with raw frames that begins with those of block `sequence`. */
export function openBlockPath(directory: string, sequence: number): string {
  return join(directory, `${sequence}.open`);
}

/** The recordings in a spool, oldest first. Anything else in the directory is passed over. */
export function listRecordings(spool: string): SessionId[] {
  return readdirSync(spool)
    .flatMap((name) => SessionId.safeParse(name).data ?? [])
    .sort();
}

/** The sequence numbers that the files of raw frames in a recording's directory begin with, in order. */
export function listOpenBlocks(directory: string): number[] {
  return readdirSync(directory)
    .flatMap((name) => /^(0|[1-9]\d{0,8})\.open$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}
