import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { SessionId } from "@sallyport/core/names.ts";

const MAX_NAMESAKES = 100;

/**
 * Moves a recording, whole, out of the spool into another directory of the same file system, which is made if need be;
 * returns where it is now. One of its name there is left alone. Throws the disk's error, and then it is where it was.
 */
export function setAside(spool: string, recording: SessionId, directory: string): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = freePath(join(directory, recording));
  renameSync(join(spool, recording), path);
  return path;
}

function freePath(path: string): string {
  for (let number = 0; number < MAX_NAMESAKES; number++) {
    const candidate = number === 0 ? path : `${path}.${number}`;
    if (!existsSync(candidate)) return candidate;
  }
  return path;
}
