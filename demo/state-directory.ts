import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Tells that a directory is the demo's own, and which process has it. */
const MARK = "demo.pid";

/**
 * Makes the demo's directory, empty and readable by root alone. What an earlier demo left there goes; a directory that
 * holds anything else is refused, as is one that a running demo has.
 */
export function prepareDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const mark = join(directory, MARK);
  const entries = readdirSync(directory);
  if (entries.length > 0 && !existsSync(mark))
    throw new Error(
      `${directory} holds something other than a demo; nothing was touched. Name another: npm start -- --dir DIR`,
    );
  const holder = existsSync(mark) ? Number(readFileSync(mark, "utf8")) : 0;
  if (isDemo(holder))
    throw new Error(
      `A demo (pid ${holder}) is running in ${directory}. End it, or start this one elsewhere: npm start -- --dir DIR --port N`,
    );
  for (const entry of entries) {
    if (entry !== MARK) rmSync(join(directory, entry), { recursive: true, force: true });
  }
  writeFileSync(mark, `${process.pid}\n`, { mode: 0o600 });
}

function isDemo(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("demo/main.ts");
  } catch {
    return false;
  }
}
