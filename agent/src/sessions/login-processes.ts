import type { Cgroups } from "../kernel/cgroups.ts";
import { ProcessSnapshot } from "../kernel/process-snapshot.ts";
import {
  auditSessionOf,
  isSshdListener,
  isUsersOwn,
  type ProcessIdentity,
  type ProcessStat,
  processStat,
  runsSshd,
} from "../kernel/processes.ts";
import type { Login, LoginMarks } from "../logins/login.ts";
import type { LoginGroups } from "../logins/login-groups.ts";

/** A login as its processes are looked for. */
export type MarkedLogin = Pick<Login, "monitor" | "marks">;

/**
 * By what a login whose sshd runs is known now. An audit session that sshd's listener has too is no login's own: pam_loginuid
 * is not in use, and the listener was started by somebody who was logged in.
 */
export function marksOf(monitor: ProcessIdentity, groups: LoginGroups): LoginMarks {
  const auditSession = auditSessionOf(monitor.pid);
  const parent = processStat(monitor.pid)?.parent;
  const others = [process.pid, ...(parent === undefined ? [] : [parent])];
  const isOwn = !others.some((pid) => auditSessionOf(pid) === auditSession);
  return { group: groups.of(monitor), auditSession: isOwn ? auditSession : null };
}

/**
 * All processes of a login but its monitor, and but an sshd that root has restarted there: those in its control group, and where there is none those below its sshd and
 * those with its audit session.
 */
export function processesOf(
  { monitor, marks }: MarkedLogin,
  cgroups: Cgroups,
  now = new ProcessSnapshot(),
): ProcessStat[] {
  const found = new Map<number, ProcessStat>();
  const { group, auditSession } = marks ?? { group: null, auditSession: null };
  if (group !== null) {
    for (const pid of cgroups.members(group)) {
      const stat = processStat(pid);
      if (stat !== null) found.set(pid, stat);
    }
  } else {
    const monitorLives = now.table.get(monitor.pid)?.startTime === monitor.startTime;
    for (const stat of monitorLives ? now.below(monitor.pid) : []) found.set(stat.pid, stat);
    for (const stat of auditSession === null ? [] : now.inAuditSession(auditSession))
      found.set(stat.pid, stat);
  }
  if (found.get(monitor.pid)?.startTime === monitor.startTime) found.delete(monitor.pid);
  return [...found.values()].filter((process) => !isSshdListener(process));
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
  isAsking(process: ProcessStat): boolean;
}

/**
 * The processes of a login that are neither sshd's own nor part of a recorded session. sshd's own are those that run
 * sshd and were started by the monitor or by another of them: a copy started by the user is none. `early` are those that
 * sshd has started and that are on their way to the recorder, or ought to be; `left` are the others.
 */
export function straysOf(
  monitor: ProcessIdentity,
  processes: readonly ProcessStat[],
  recorded: Recorded,
): { early: ProcessStat[]; left: ProcessStat[] } {
  const byPid = new Map(processes.map((process) => [process.pid, process]));
  const verdicts = new Map<number, Verdict>();
  const [shims, leaving] = [recorded.shims, recorded.leaving].map((list) => new Set(list.map(keyOf)));

  const judge = (process: ProcessStat): Verdict => {
    const known = verdicts.get(process.pid);
    if (known !== undefined) return known;
    verdicts.set(process.pid, "left"); // also ends a circle, which reading /proc while pids are used again may show
    const verdict = judgeAnew(process);
    verdicts.set(process.pid, verdict);
    return verdict;
  };
  const judgeAnew = (process: ProcessStat): Verdict => {
    if (leaving?.has(keyOf(process))) return "leaving";
    if (shims?.has(keyOf(process))) return "session";
    const parent = byPid.get(process.parent);
    const above = parent === undefined ? undefined : judge(parent);
    if (above === "session" || above === "early") return above;
    const ofMonitor = process.parent === monitor.pid;
    if (!ofMonitor && above !== "sshd") return "left";
    // Below its first child sshd has but forks, which nobody else may look into; what a user has started is open to them.
    if (runsSshd(process.pid, recorded.sshd) && (ofMonitor || !isUsersOwn(process.pid))) return "sshd";
    return recorded.isAsking(process) ? "session" : "early";
  };
  const judged = (verdict: Verdict) => processes.filter((process) => judge(process) === verdict);
  return { early: judged("early"), left: judged("left") };
}

type Verdict = "sshd" | "session" | "leaving" | "early" | "left";

function keyOf({ pid, startTime }: ProcessIdentity): string {
  return `${pid}-${startTime}`;
}
