import { readdirSync, readFileSync, readlinkSync } from "node:fs";
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

/** Reads /proc/PID/stat; null when there is no such process any more. */
export function processStat(pid: number): ProcessStat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name in parentheses may hold anything, spaces and parentheses too: fields count from the last one.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { pid, parent: Number(fields[1]), session: Number(fields[3]), startTime: Number(fields[19]) };
  } catch {
    return null;
  }
}

/** True while exactly this process lives. */
export function isAlive(identity: ProcessIdentity): boolean {
  const stat = processStat(identity.pid);
  return stat !== null && stat.startTime === identity.startTime;
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

/** Every process with its parent: one look at /proc. */
function allProcesses(): ProcessStat[] {
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name);
    return Number.isInteger(pid) ? (processStat(pid) ?? []) : [];
  });
}

/** The processes below `root`, itself not included, parents before children. */
export function descendantsOf(root: number): ProcessStat[] {
  const children = Map.groupBy(allProcesses(), (process) => process.parent);
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
