import { accessSync, constants, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory of its own, in memory where there is one: thousands of cases write, sync and remove files in it. */
export function makeMemoryDirectory(): string {
  return mkdtempSync(join(memory() ?? tmpdir(), "sallyport-fuzz-"));
}

function memory(): string | undefined {
  try {
    accessSync("/dev/shm", constants.W_OK);
    return "/dev/shm";
  } catch {
    return undefined;
  }
}
