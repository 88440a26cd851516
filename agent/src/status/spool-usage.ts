import { existsSync, readdirSync, statfsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { listRecordings } from "@sallyport/uplink/spool/layout.ts";

/** What recordings take on the disk, and what is left there. */
export interface SpoolUsage {
  bytes: number;
  recordings: number;
  rejected: number;
  freeBytes: number;
  freeInodes: number;
}

/** Looks at the spool as it is now: one stat(2) per file of a recording. */
export function spoolUsage(spool: string, rejected: string): SpoolUsage {
  const recordings = existsSync(spool) ? listRecordings(spool) : [];
  const { bavail, bsize, ffree, files } = statfsSync(nearest(spool));
  return {
    bytes: recordings.reduce((sum, recording) => sum + directoryBytes(join(spool, recording)), 0),
    recordings: recordings.length,
    rejected: existsSync(rejected) ? readdirSync(rejected).length : 0,
    freeBytes: bavail * bsize,
    // Some file systems (btrfs) have no table of inodes and say 0 of 0.
    freeInodes: files === 0 ? Number.MAX_SAFE_INTEGER : ffree,
  };
}

/** The path itself, or the nearest directory above it that exists. */
function nearest(path: string): string {
  return existsSync(path) || path === "/" ? path : nearest(dirname(path));
}

/** A recording may be uploaded and removed while we look: what is gone counts nothing. */
function directoryBytes(directory: string): number {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    return 0;
  }
  return names.reduce(
    (sum, name) => sum + (statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}
