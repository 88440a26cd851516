import { closeSync, openSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { tryLock } from "./kernel/system-calls.ts";

/**
 * Locks a file for as long as this process lives; code `conflict` when another agent has it. A second agent would take
 * the first one's sockets away and close recordings that are still written, so it must change nothing before this. The
 * kernel lets go of the lock however an agent ends, and recorders, which outlive it, have no copy.
 */
export function beTheOnlyAgent(path: string): void {
  const fd = openSync(path, "a", 0o600);
  if (tryLock(fd)) return;
  closeSync(fd);
  throw new SallyportError(
    "conflict",
    "Another agent runs on this host already, and one is all there may be. `sallyport-agent status` shows it.",
  );
}
