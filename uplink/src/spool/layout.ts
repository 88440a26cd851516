import { readdirSync } from "node:fs";
import { join } from "node:path";
import { SessionId } from "@sallyport/core/names.ts";

/*
 * A spool holds one directory per recording, named by its session:
 *
 *   blocks      sealed blocks one behind the other; only grows
 *   N.open      the frames of block N while it fills: written before they are shown, removed once block N is in `blocks`
 *   owner       pid and start time of the recorder that writes it
 */

/** Name of the file with the sealed blocks. */
export const BLOCKS_FILE = "blocks";
/** Name of the file that says which process writes. */
export const OWNER_FILE = "owner";

/** Path of the file with the frames of block `sequence` while it fills. */
export function openBlockPath(directory: string, sequence: number): string {
  return join(directory, `${sequence}.open`);
}

/** The recordings in a spool, oldest first. Anything else in the directory is passed over. */
export function listRecordings(spool: string): SessionId[] {
  return readdirSync(spool)
    .flatMap((name) => SessionId.safeParse(name).data ?? [])
    .sort();
}

/** The sequence numbers of the unsealed blocks in a recording's directory, in order. */
export function listOpenBlocks(directory: string): number[] {
  return readdirSync(directory)
    .flatMap((name) => /^(0|[1-9]\d{0,8})\.open$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}
