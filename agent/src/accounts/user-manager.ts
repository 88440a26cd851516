import { existsSync, lstatSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import type { Cgroups } from "../kernel/cgroups.ts";
import { describeProcess, executableOf, type ProcessStat, processStat } from "../kernel/processes.ts";
import { endProcesses } from "./account-processes.ts";
import { runTool } from "./system-tools.ts";

/** There while systemd is PID 1 (sd_booted(3)). */
const SYSTEMD = "/run/systemd/system";
const MANAGERS = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];

/**
 * Sees to it that systemd starts no user manager for a uid of a personal account: what runs in it (`systemd-run --user`,
 * user services, timers, what D-Bus activates) is recorded by nobody and not bound to a login. Masked for this boot
 * (systemd.unit(5)); the PAM session does without. Nothing on a host without systemd.
 */
export function denyUserManager(uid: number): void {
  if (!existsSync(SYSTEMD)) return;
  const unit = `${SYSTEMD}/user@${uid}.service`;
  if (lstatSync(unit, { throwIfNoEntry: false }) !== undefined) return;
  mkdirSync(SYSTEMD, { recursive: true });
  symlinkSync("/dev/null", unit);
}

/** Takes back what {@link denyUserManager} did, when nobody has the uid any more. */
export function forgetUserManager(uid: number): void {
  const unit = `${SYSTEMD}/user@${uid}.service`;
  if (lstatSync(unit, { throwIfNoEntry: false })?.isSymbolicLink()) rmSync(unit, { force: true });
}

/** Is a login of any kind left in logind's slice of this uid, sshd's or another's? */
export function hasLogindSessions(uid: number, cgroups: Cgroups): boolean {
  const slice = sliceOf(uid);
  return cgroups
    .below(slice)
    .some((name) => name.endsWith(".scope") && cgroups.members(`${slice}/${name}`).length > 0);
}

/** What runs in the user manager of a uid, beside the manager itself and the message bus that it starts for all. */
export function userServiceProcesses(uid: number, cgroups: Cgroups): ProcessStat[] {
  return cgroups.members(groupOf(uid)).flatMap((pid) => {
    const stat = processStat(pid);
    const program = executableOf(pid) ?? "";
    return stat === null || MANAGERS.includes(program) || program === "/usr/bin/dbus-daemon" ? [] : [stat];
  });
}

/** Ends the user manager of a uid with all that runs in it, and returns what that was. */
export async function endUserManager(uid: number, cgroups: Cgroups): Promise<string[]> {
  const group = groupOf(uid);
  if (cgroups.members(group).length === 0) return [];
  const ran = userServiceProcesses(uid, cgroups).map(({ pid }) => describeProcess(pid));
  // First it is told to stop, so that it starts nothing anew; then nobody waits for services that take their time.
  await runTool("systemctl", ["stop", "--no-block", `user@${uid}.service`]);
  const ended = await endProcesses(() => userServiceProcesses(uid, cgroups));
  return [...new Set([...ran, ...ended])];
}

function sliceOf(uid: number): string {
  return `/user.slice/user-${uid}.slice`;
}

function groupOf(uid: number): string {
  return `${sliceOf(uid)}/user@${uid}.service`;
}
