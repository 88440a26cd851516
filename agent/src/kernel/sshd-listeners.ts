import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { executableOf, processStat, uidOf } from "./processes.ts";

/** An sshd that waits for connections. */
export interface SshdListener {
  pid: number;
  /** As it calls itself: `sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups`. */
  title: string;
  /** When it started, in clock ticks since the boot. */
  startTime: number;
}

/** Root's processes of this program that no other of it started, in this process namespace: no container's. */
export function sshdListeners(sshd: string): SshdListener[] {
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || executableOf(pid) !== sshd || uidOf(pid) !== 0) return [];
    const stat = processStat(pid);
    if (stat === null || executableOf(stat.parent) === sshd || !isInOurNamespace(pid)) return [];
    const title = titleOf(pid);
    // `sshd -t`, `sshd -T` and the like run for a moment.
    return / -[tTG]\b/.test(title) ? [] : [{ pid, title, startTime: stat.startTime }];
  });
}

function isInOurNamespace(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`) === readlinkSync("/proc/self/ns/pid");
  } catch {
    return false; // it is gone
  }
}

function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}
