import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/**
 * A directory of this process's own in `directory`, `.KIND-PID`, for what is not finished. What processes that are gone left there is
 * removed: a backup that was killed would otherwise keep recordings that retention has deleted.
 */
export function makeStaging(directory: string, kind: "backup" | "restore"): string {
  for (const name of readdirSync(directory)) {
    const pid = new RegExp(`^\\.${kind}-(\\d+)$`).exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(directory, name), { recursive: true });
  }
  const staging = join(directory, `.${kind}-${process.pid}`);
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging, { mode: 0o700 });
  return staging;
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
