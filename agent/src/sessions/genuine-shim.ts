import { readFileSync, readlinkSync, realpathSync } from "node:fs";
import { executableOf, type ProcessStat } from "../kernel/processes.ts";

/**
 * Is this process our shim, as sshd started it? Under an unsafe login shell the account's own files run first, and could
 * get a session for a program that only speaks like the shim; or start the shim traced, under a system call filter, or
 * among mounts of their own, where other sockets stand in the place of ours. The shim is static and takes nothing else
 * from its surroundings.
 */
export function isGenuineShim({ pid, parent }: ProcessStat, shim: string): boolean {
  if (executableOf(pid) !== realpathSync(shim)) return false;
  const [own, sshds] = [surroundingsOf(pid), surroundingsOf(parent)];
  return (
    own !== null &&
    sshds !== null &&
    !own.traced &&
    own.filters === sshds.filters &&
    own.mounts === sshds.mounts
  );
}

/** What of a process its parent's children have too (proc(5), status and ns; namespaces(7)). */
function surroundingsOf(pid: number): { traced: boolean; filters: string; mounts: string } | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    return {
      traced: !/^TracerPid:\s+0$/m.test(status),
      filters: [...status.matchAll(/^Seccomp\w*:.*$/gm)].join(),
      mounts: readlinkSync(`/proc/${pid}/ns/mnt`),
    };
  } catch {
    return null;
  }
}
