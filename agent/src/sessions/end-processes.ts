import type { Cgroups } from "../kernel/cgroups.ts";
import { isSshdListener, processStat, signalProcess } from "../kernel/processes.ts";
import { type MarkedLogin, processesOf } from "./login-processes.ts";

/** Time for the last words to reach the contractor's terminal before the connection is cut, in milliseconds. */
const GRACE_MS = 150;
/** Time for sshd to close its PAM session and write its own log, in milliseconds. */
const SSHD_GRACE_MS = 500;
/** Processes may fork while they are killed one by one: look again, this often at most. */
const ROUNDS = 20;
const PATIENT_ROUNDS = 4;
const ROUND_MS = 25;

/**
 * Ends a login with all that hangs on it: the sshd process itself, which closes the connection, and every process that
 * came from it, detached or not. Resolves when nothing of the contractor's runs any more; false when something does all the same.
 */
export async function endLogin(login: MarkedLogin, cgroups: Cgroups): Promise<boolean> {
  // What is there now may lose its sshd during the grace: on a host without control groups it is remembered.
  const before = processesOf(login, cgroups);
  await pause(GRACE_MS);
  signalProcess(login.monitor, "SIGTERM");
  for (const process of before) signalProcess(process, "SIGKILL");
  const isEnded = await endRemains(login, cgroups);
  setTimeout(() => signalProcess(login.monitor, "SIGKILL"), SSHD_GRACE_MS);
  return isEnded;
}

/**
 * Kills what is left of a login, but not its monitor, until nothing is. What forks faster than it is killed is ended by
 * its control group, monitor included. False when something is left all the same.
 */
export async function endRemains(login: MarkedLogin, cgroups: Cgroups): Promise<boolean> {
  for (let round = 0; round < ROUNDS; round++) {
    const left = processesOf(login, cgroups);
    if (left.length === 0) return true;
    const group = round < PATIENT_ROUNDS ? null : (login.marks?.group ?? null);
    if (group !== null && !holdsListener(group, cgroups)) cgroups.kill(group);
    for (const process of left) signalProcess(process, "SIGKILL");
    await pause(ROUND_MS);
  }
  return false;
}

/** Then the group must not be killed whole. */
function holdsListener(group: string, cgroups: Cgroups): boolean {
  return cgroups.members(group).some((pid) => {
    const stat = processStat(pid);
    return stat !== null && isSshdListener(stat);
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
