import { descendantsOf, isAlive, type ProcessIdentity } from "../kernel/processes.ts";

/** Time for the last words to reach the contractor's terminal before the connection is cut, in milliseconds. */
const GRACE_MS = 150;
/** Time for sshd to close its PAM session and write its own log, in milliseconds. */
const SSHD_GRACE_MS = 500;

/**
 * Ends a login with all that hangs on it: everything below its sshd, and the sshd process itself, which closes the
 * connection. Resolves when nothing of the contractor's runs any more. Processes that have left the tree (daemons) are
 * not found this way.
 */
export async function endLogin(monitor: ProcessIdentity): Promise<void> {
  // What is there now may detach itself during the grace: remember it.
  const before = descendantsOf(monitor.pid);
  await pause(GRACE_MS);
  const all = [...before, ...descendantsOf(monitor.pid)];
  kill(monitor, "SIGTERM");
  for (const process of all) kill(process, "SIGKILL");
  setTimeout(() => kill(monitor, "SIGKILL"), SSHD_GRACE_MS);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function kill(target: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isAlive(target)) return;
  try {
    process.kill(target.pid, signal);
  } catch {
    // it ended in between
  }
}
