import { setTimeout as pause } from "node:timers/promises";
import type { Accounts } from "../logins/accounts.ts";
import { endProcessesOfUid } from "./account-processes.ts";
import { type ArchivePlace, archiveHome, deleteHome } from "./homes.ts";
import { countLeftFiles, removeJobs } from "./left-files.ts";
import { lockLocalAccount } from "./local-account.ts";
import type { SudoersFiles } from "./sudoers-files.ts";
import type { LedgerEntry } from "./uid-ledger.ts";

/** Sessions end with a message of their own; they get this long for it. */
const SESSIONS_MS = 5_000;
const LOOK_MS = 50;

/** What ending an account needs of the host. */
export interface EndNeeds {
  accounts: Accounts;
  sudoers: SudoersFiles;
  archives: ArchivePlace;
  /** sshd's group of guarded accounts. */
  group: string;
  /** Recorded sessions that run as this account. */
  sessionsAs(account: string): number;
  /** Seconds since the epoch. */
  now(): number;
}

/**
 * Ends an account: its sudo rules go first, then it is locked, its jobs are removed, its sessions are waited for, all its
 * processes are ended, and its home is archived, kept or deleted. May be called again when it failed half-way. Returns
 * what was done, for the report.
 */
export async function endAccount(entry: LedgerEntry, home: string, needs: EndNeeds): Promise<string> {
  const { account, uid } = entry;
  await needs.sudoers.set(account, "");
  await lockLocalAccount(entry, needs.group, needs.accounts);
  removeJobs(account, uid);
  for (let waited = 0; needs.sessionsAs(account) > 0 && waited < SESSIONS_MS; waited += LOOK_MS)
    await pause(LOOK_MS);
  const processes = await endProcessesOfUid(uid);
  // Again: one of them may have made a job before it ended.
  const jobs = removeJobs(account, uid);
  const said = [
    await endHome(entry, home, needs),
    ...(processes > 0 ? [`${processes} processes were ended`] : []),
    ...(jobs > 0 ? [`${jobs} jobs were removed`] : []),
  ];
  const files = countLeftFiles(uid);
  if (files > 0) said.push(`${files} files of uid ${uid} are left in /tmp and other shared directories`);
  return said.join("; ");
}

async function endHome(entry: LedgerEntry, home: string, needs: EndNeeds): Promise<string> {
  const { account, memberId, uid } = entry;
  const present = needs.accounts.get(account);
  if (present !== undefined && present.uid !== uid)
    return `${home} is another account's and was left as it is`;
  if (entry.home === "keep") return `${home} was kept`;
  if (entry.home === "delete") {
    await deleteHome(home, uid);
    return `${home} was deleted`;
  }
  const at = new Date(needs.now() * 1000).toISOString().replaceAll(/[:-]|\.\d+/g, "");
  const path = await archiveHome(home, uid, `${account}-${memberId}-${at}`, needs.archives);
  return path === "" ? "there was no home" : `the home is in ${path}`;
}
