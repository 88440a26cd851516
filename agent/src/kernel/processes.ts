import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { basename } from "node:path";
import { printable } from "@sallyport/core/terminal-text.ts";
import { peerAddressOf } from "./system-calls.ts";

/** A process that pid reuse cannot confuse: its number and its start time (clock ticks since boot, proc(5) stat 22). */
export interface ProcessIdentity {
  pid: number;
  startTime: number;
}

/** What proc(5) stat says of a process. */
export interface ProcessStat extends ProcessIdentity {
  parent: number;
  session: number;
}

/** Reads /proc/PID/stat; null when there is no such process any more, or only what its parent has not waited for yet. */
export function processStat(pid: number): ProcessStat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name in parentheses may hold anything, spaces and parentheses too: fields count from the last one.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    if ((fields[0] === "Z" || fields[0] === "X") && !hasOtherThreads(pid)) return null;
    return { pid, parent: Number(fields[1]), session: Number(fields[3]), startTime: Number(fields[19]) };
  } catch {
    return null;
  }
}

/** A process whose first thread has ended reads as a zombie while its others go on (pthread_exit(3)). */
function hasOtherThreads(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).length > 1;
}

/** True while exactly this process lives. */
export function isAlive(identity: ProcessIdentity): boolean {
  const stat = processStat(identity.pid);
  return stat !== null && stat.startTime === identity.startTime;
}

/** Clock ticks in a second as /proc counts them: USER_HZ, 100 on every architecture that we run on. */
const USER_HZ = 100;

/** Now, as {@link ProcessIdentity.startTime} counts: clock ticks since boot (proc(5), uptime). */
export function ticksSinceBoot(): number {
  return Math.floor(Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]) * USER_HZ);
}

/** How long ago a process began, in seconds (proc(5), uptime). */
export function ageOf({ startTime }: ProcessIdentity): number {
  const uptime = Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]);
  return uptime - startTime / USER_HZ;
}

/** Real uid of a process (proc(5) status), or null. */
export function uidOf(pid: number): number | null {
  try {
    const uid = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
    return uid === undefined ? null : Number(uid);
  } catch {
    return null;
  }
}

/**
 * True where the kernel lets the process's own user look into it: one that has changed its uid, as sshd's does, belongs to
 * root below /proc until it starts another program (PR_GET_DUMPABLE(2const)).
 */
export function isUsersOwn(pid: number): boolean {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid !== 0;
}

/** The file that a process runs, or null. An sshd replaced by an upgrade reads as "… (deleted)". */
export function executableOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, "");
  } catch {
    return null;
  }
}

// Since OpenSSH 9.8 a connection is served by a program of its own; Debian's place and others'.
const SSHD_SESSION_PROGRAMS = [
  "/usr/lib/openssh/sshd-session",
  "/usr/libexec/openssh/sshd-session",
  "/usr/libexec/sshd-session",
];

/** True when the process runs sshd: the configured program, or the one that it serves connections with. */
export function runsSshd(pid: number, sshd: string): boolean {
  const program = executableOf(pid);
  return program !== null && (program === sshd || SSHD_SESSION_PROGRAMS.includes(program));
}

/**
 * True for an sshd of root's that nobody is the parent of: the listener, which administrators get in by. Where there is no
 * service manager, one that a contractor restarts by sudo is in the contractor's login, and must not end with it.
 */
export function isSshdListener(process: ProcessStat): boolean {
  if (process.parent !== 1 || uidOf(process.pid) !== 0) return false;
  return basename(executableOf(process.pid) ?? "") === "sshd";
}

/** The peer of the network connection that a process holds; null when it has none or it cannot be read. */
export function peerAddress(pid: number): string | null {
  let descriptors: string[];
  try {
    descriptors = readdirSync(`/proc/${pid}/fd`);
  } catch {
    return null;
  }
  for (const descriptor of descriptors) {
    if (!isSocket(pid, descriptor)) continue;
    const address = peerAddressOf(pid, Number(descriptor));
    if (address !== null) return address;
  }
  return null;
}

function isSocket(pid: number, descriptor: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/fd/${descriptor}`).startsWith("socket:");
  } catch {
    return false;
  }
}

/** Every process by its pid: one look at /proc. */
export function processTable(): Map<number, ProcessStat> {
  return new Map(
    readdirSync("/proc").flatMap((name) => {
      const pid = Number(name);
      const stat = Number.isInteger(pid) ? processStat(pid) : null;
      return stat === null ? [] : [[pid, stat]];
    }),
  );
}

/** The processes below `root`, itself not included, parents before children. */
export function descendantsOf(root: number, table = processTable()): ProcessStat[] {
  const children = Map.groupBy(table.values(), (process) => process.parent);
  const found: ProcessStat[] = [];
  const queue = [root];
  for (let parent = queue.shift(); parent !== undefined; parent = queue.shift()) {
    for (const child of children.get(parent) ?? []) {
      found.push(child);
      queue.push(child.pid);
    }
  }
  return found;
}

/** No audit session: the kernel has no auditing, or the process began before anybody logged in. */
const NO_AUDIT_SESSION = 0xffffffff;

/** The audit session of a process, which pam_loginuid(8) gives to each login and nobody can leave; null without one. */
export function auditSessionOf(pid: number): number | null {
  try {
    const session = Number(readFileSync(`/proc/${pid}/sessionid`, "latin1"));
    return session === NO_AUDIT_SESSION ? null : session;
  } catch {
    return null;
  }
}

/** What a process runs, for a report: its command line, or its name in brackets where it has none. At most 200 characters. */
export function describeProcess(pid: number): string {
  try {
    const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean).join(" ");
    return printable(line || `[${readFileSync(`/proc/${pid}/comm`, "utf8").trim()}]`, 200);
  } catch {
    return "a process that has ended";
  }
}

/** Sends a signal to exactly this process; nothing when it has ended. */
export function signalProcess(target: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isAlive(target)) return;
  try {
    process.kill(target.pid, signal);
  } catch {
    // it ended in between
  }
}
