import type { Cgroups } from "../kernel/cgroups.ts";
import {
  auditSessionOf,
  descendantsOf,
  type ProcessIdentity,
  type ProcessStat,
  processStat,
  processTable,
  runsSshd,
} from "../kernel/processes.ts";
import type { Login, LoginMarks } from "../logins/login.ts";
import type { LoginGroups } from "../logins/login-groups.ts";

/** A login as its processes are looked for. */
export type MarkedLogin = Pick<Login, "monitor" | "marks">;

/** By what a login whose sshd runs is known now. */
export function marksOf(monitor: ProcessIdentity, groups: LoginGroups): LoginMarks {
  return { group: groups.of(monitor), auditSession: auditSessionOf(monitor.pid) };
}

/**
 * All processes of a login but its monitor: those in its control group, and where there is none those with its audit
 * session; and in any case those below its sshd.
 */
export function processesOf({ monitor, marks }: MarkedLogin, cgroups: Cgroups): ProcessStat[] {
  const found = new Map<number, ProcessStat>();
  const { group, auditSession } = marks ?? { group: null, auditSession: null };
  if (group !== null) {
    for (const pid of cgroups.members(group)) {
      const stat = processStat(pid);
      if (stat !== null) found.set(pid, stat);
    }
  } else {
    const table = processTable();
    const monitorLives = table.get(monitor.pid)?.startTime === monitor.startTime;
    for (const stat of monitorLives ? descendantsOf(monitor.pid, table) : []) found.set(stat.pid, stat);
    for (const stat of auditSession === null ? [] : table.values())
      if (auditSessionOf(stat.pid) === auditSession) found.set(stat.pid, stat);
  }
  if (found.get(monitor.pid)?.startTime === monitor.startTime) found.delete(monitor.pid);
  return [...found.values()];
}

/** What may run in a login besides sshd. */
export interface Recorded {
  /** Program of sshd. */
  sshd: string;
  /** The shims of sessions that have a recorder. */
  shims: readonly ProcessIdentity[];
  /** The shims of sessions that are over, which still show their last words; nothing below them may run. */
  leaving: readonly ProcessIdentity[];
  /** Is this, a child of sshd's, a shim that is about to ask for a session? */
  isAsking(process: ProcessIdentity): boolean;
}

/**
 * The processes of a login that are neither sshd's own nor part of a recorded session. sshd's own are those that run
 * sshd and were started by the monitor or by another of them: a copy started by the user is none.
 */
export function straysOf(
  monitor: ProcessIdentity,
  processes: readonly ProcessStat[],
  recorded: Recorded,
): ProcessStat[] {
  const byPid = new Map(processes.map((process) => [process.pid, process]));
  const verdicts = new Map<number, Verdict>();
  const [shims, leaving] = [recorded.shims, recorded.leaving].map((list) => new Set(list.map(keyOf)));

  const judge = (process: ProcessStat): Verdict => {
    const known = verdicts.get(process.pid);
    if (known !== undefined) return known;
    verdicts.set(process.pid, "stray"); // also ends a circle, which reading /proc while pids are used again may show
    const verdict = judgeAnew(process);
    verdicts.set(process.pid, verdict);
    return verdict;
  };
  const judgeAnew = (process: ProcessStat): Verdict => {
    if (leaving?.has(keyOf(process))) return "leaving";
    if (shims?.has(keyOf(process))) return "session";
    const parent = byPid.get(process.parent);
    if (parent !== undefined && judge(parent) === "session") return "session";
    const ofSshd = process.parent === monitor.pid || (parent !== undefined && judge(parent) === "sshd");
    if (!ofSshd) return "stray";
    if (runsSshd(process.pid, recorded.sshd)) return "sshd";
    return recorded.isAsking(process) ? "session" : "stray";
  };
  return processes.filter((process) => judge(process) === "stray");
}

type Verdict = "sshd" | "session" | "leaving" | "stray";

function keyOf({ pid, startTime }: ProcessIdentity): string {
  return `${pid}-${startTime}`;
}
