import { lstatSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/** Where cron(8) keeps crontabs, named like their accounts; Debian's and others' places. */
export const CRONTABS = ["/var/spool/cron/crontabs", "/var/spool/cron"];
/** Where at(1), cron(8) and logind keep what runs for somebody who is not there; Debian's and others' places. */
const JOBS = [...CRONTABS, "/var/spool/cron/atjobs", "/var/spool/at", "/var/spool/anacron"];
const LINGER = "/var/lib/systemd/linger";
/** Where anybody may write. Looked at one level deep: the whole disk is not searched. */
const SHARED = ["/tmp", "/var/tmp", "/dev/shm", "/var/mail", "/run/lock"];

/** Removes the crontab, the at jobs and the lingering of an account; returns how many there were. */
export function removeJobs(account: string, uid: number): number {
  const files = jobFiles(account, uid);
  const linger = isLingering(account) ? [join(LINGER, account)] : [];
  for (const path of [...files, ...linger]) rmSync(path, { force: true });
  return files.length + linger.length;
}

/** The crontab (named like the account) and the at jobs of an account. */
export function jobFiles(account: string, uid: number): string[] {
  return JOBS.flatMap((directory) =>
    entries(directory).filter((path) => isFileOf(path, uid) || path === join(directory, account)),
  ).filter((path) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === false);
}

/** Does logind keep a user manager for this account while nobody is logged in (loginctl(1), enable-linger)? */
export function isLingering(account: string): boolean {
  return entries(LINGER).includes(join(LINGER, account));
}

/** How many files of this uid lie openly in the directories that everybody shares; what is elsewhere is not counted. */
export function countLeftFiles(uid: number): number {
  return SHARED.flatMap(entries).filter((path) => lstatSync(path, { throwIfNoEntry: false })?.uid === uid)
    .length;
}

function isFileOf(path: string, uid: number): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.uid === uid && !stat.isDirectory();
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => join(directory, name));
  } catch {
    return [];
  }
}
