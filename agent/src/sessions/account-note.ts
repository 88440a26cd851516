import { lstatSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { jobFiles } from "../accounts/left-files.ts";
import { bootId } from "../kernel/boot-id.ts";
import { ticksSinceBoot } from "../kernel/processes.ts";

/** at(1) counts its jobs here: it tells of one that has come and gone. */
const AT_SEQUENCES = ["/var/spool/cron/atjobs/.SEQ", "/var/spool/at/.SEQ"];
/** Longer ones are kept out of notes; nobody writes such by hand. */
const MAX_CRONTAB = 256 * 1024;

const JobFile = z.strictObject({
  path: z.string(),
  inode: z.number(),
  /** Milliseconds since the epoch, changed whenever the file is. */
  changed: z.number(),
  /** A crontab, its text in base64; null for an at job, and for what is too long to keep. */
  crontab: z
    .strictObject({ text: z.string(), mode: z.number(), owner: z.number(), group: z.number() })
    .nullable(),
});
type JobFile = z.infer<typeof JobFile>;

/** What a shared account had of jobs when the first contractor's login to it began. */
export const AccountNote = z.strictObject({
  v: z.literal(1),
  account: z.string(),
  uid: z.number(),
  boot: z.string(),
  /** Clock ticks since boot. */
  begun: z.number(),
  jobs: z.array(JobFile),
  atSequence: z.string(),
  /** The crontab was changed since, whatever it is now. */
  cronUsed: z.boolean(),
});
export type AccountNote = z.infer<typeof AccountNote>;

/** Reads what there is now. */
export function takeNote(account: string, uid: number): AccountNote {
  return {
    v: 1,
    account,
    uid,
    boot: bootId(),
    begun: ticksSinceBoot(),
    jobs: jobFiles(account, uid).flatMap((path) => describe(path, account) ?? []),
    atSequence: AT_SEQUENCES.map((path) => readOr(path, "")).join(),
    cronUsed: false,
  };
}

/** What has changed between two notes. */
export interface AccountChanges {
  /** at jobs that are to be removed. */
  jobs: string[];
  /** Crontabs that are to be put back, and what they are to be; null removes one. */
  crontabs: { path: string; before: JobFile["crontab"] }[];
  /** at, or cron, may have started something of the contractor's: a job may be gone again, a crontab as it was. */
  atUsed: boolean;
  cronUsed: boolean;
}

/** Compares what was with what is. An at job is known by its inode: at renames it when it starts. */
export function changesSince(before: AccountNote, now: AccountNote): AccountChanges {
  const isCrontab = ({ path }: JobFile): boolean => basename(path) === before.account;
  const key = ({ path, inode }: JobFile): string => `${dirname(path)} ${inode}`;
  const atBefore = new Set(before.jobs.filter((job) => !isCrontab(job)).map(key));
  const jobs = now.jobs.filter((job) => !isCrontab(job) && !atBefore.has(key(job))).map(({ path }) => path);
  const crontabsBefore = new Map(before.jobs.filter(isCrontab).map((job) => [job.path, job]));
  const crontabsNow = new Map(now.jobs.filter(isCrontab).map((job) => [job.path, job]));
  const touched = [...new Set([...crontabsBefore.keys(), ...crontabsNow.keys()])].filter((path) => {
    const [a, b] = [crontabsBefore.get(path), crontabsNow.get(path)];
    return a?.inode !== b?.inode || a?.changed !== b?.changed;
  });
  const crontabs = touched
    // One that was too long to keep stays as it is now.
    .filter((path) => crontabsBefore.get(path)?.crontab !== null)
    .map((path) => ({ path, before: crontabsBefore.get(path)?.crontab ?? null }))
    .filter(({ path, before }) => before?.text !== crontabsNow.get(path)?.crontab?.text);
  return {
    jobs,
    crontabs,
    atUsed: jobs.length > 0 || before.atSequence !== now.atSequence,
    cronUsed: before.cronUsed || touched.length > 0,
  };
}

function describe(path: string, account: string): JobFile | null {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return null;
  const isCrontab = path === join(dirname(path), account) && stat.isFile() && stat.size <= MAX_CRONTAB;
  const text = isCrontab ? readOr(path, null, "base64") : null;
  const crontab = text === null ? null : { text, mode: stat.mode & 0o777, owner: stat.uid, group: stat.gid };
  return { path, inode: stat.ino, changed: stat.ctimeMs, crontab };
}

function readOr<T>(path: string, otherwise: T, encoding: "utf8" | "base64" = "utf8"): string | T {
  try {
    return readFileSync(path, encoding);
  } catch {
    return otherwise;
  }
}
