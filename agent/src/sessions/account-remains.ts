import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Outbox } from "@sallyport/uplink/events/outbox.ts";
import { writeFileDurably } from "@sallyport/uplink/spool/durable.ts";
import type { Logger } from "winston";
import { endProcesses, processesOfUid } from "../accounts/account-processes.ts";
import { isLingering, removeJobs } from "../accounts/left-files.ts";
import type { PersonalAccounts } from "../accounts/personal-accounts.ts";
import { endUserManager, hasLogindSessions, userServiceProcesses } from "../accounts/user-manager.ts";
import type { Paths } from "../configuration/paths.ts";
import { accountEvent, loginIncident } from "../events.ts";
import { bootId } from "../kernel/boot-id.ts";
import { Cgroups } from "../kernel/cgroups.ts";
import { descendantsOf, describeProcess, type ProcessIdentity, processTable } from "../kernel/processes.ts";
import type { Login } from "../logins/login.ts";
import type { LoginRegistry } from "../logins/login-registry.ts";
import { type AccountChanges, AccountNote, changesSince, takeNote } from "./account-note.ts";
import { processesOf } from "./login-processes.ts";

/** What runs outside of every login of a personal account is killed at the second sight, so within twice this. */
const LOOK_MS = 800;
/** The services that start jobs, as Debian and others call them. */
const AT_SERVICE = /\/atd?\.service$/;
const CRON_SERVICE = /\/(cron|crond|anacron|cronie)\.service$/;

export interface AccountRemainsContext {
  logins: LoginRegistry;
  cgroups: Cgroups;
  /** The accounts that members have of their own; every other one is shared with people of the host's. */
  personal: { isPersonal(account: string): boolean; readonly present: { account: string; uid: number }[] };
  /** Where notes on shared accounts are kept; survives a reboot, as jobs do. */
  notes: string;
  /** Something was ended or removed: `login` is the last one of the account, null where nobody remembers. */
  onEnded(account: string, login: Login | null, what: string[]): void;
  /** Something may go on, or could not be ended. */
  onTrouble(account: string, code: "left-running" | "remains-not-ended", detail: string): void;
}

/** Account remains, put together with the agent's log and events. */
export function openAccountRemains(
  parts: Pick<AccountRemainsContext, "logins"> & {
    paths: Pick<Paths, "accountNotes">;
    personal: PersonalAccounts;
    outbox: Outbox;
    log: Logger;
  },
): AccountRemains {
  const { logins, personal, outbox, log } = parts;
  const memberOf = (account: string) =>
    personal.present.find((entry) => entry.account === account)?.memberId ?? "";
  return new AccountRemains({
    ...{ logins, personal, notes: parts.paths.accountNotes, cgroups: new Cgroups() },
    onEnded: (account, login, processes) => {
      log.warn("what an account was left with was ended", { kind: "left-behind-ended", account, processes });
      const detail = processes.join("; ");
      outbox.add(
        login === null
          ? accountEvent("left-behind-ended", account, memberOf(account), detail)
          : loginIncident("left-behind-ended", login, detail),
      );
    },
    onTrouble: (account, code, detail) => {
      log.error("what an account was left with goes on", { account, code, detail });
      outbox.add(accountEvent("trouble", account, memberOf(account), detail, code));
    },
  });
}

/**
 * What a login leaves behind that its control group does not hold: processes that at, cron or a user manager started,
 * and the jobs that they start them from. Of a personal account all of it goes, with its last login; of a shared one, what
 * was not there when the first contractor's login began (docs/decisions/0014).
 */
export class AccountRemains {
  readonly #context: AccountRemainsContext;
  #timer: NodeJS.Timeout | undefined;
  #seen = new Set<string>();

  constructor(context: AccountRemainsContext) {
    this.#context = context;
    mkdirSync(context.notes, { recursive: true, mode: 0o700 });
  }

  /** Ends what was left while no agent ran: by logins that are over, also those of before a reboot. */
  start(): void {
    const { personal, logins } = this.#context;
    for (const { account, uid } of personal.present)
      if (!this.#isThere(account)) void this.#endPersonal(account, uid, null);
    for (const name of readdirSync(this.#context.notes))
      if (!this.#isThere(name)) void this.#endShared(name, null);
    for (const login of logins.alive()) this.admitted(login);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** A login is admitted; returns at once. What the account has now is noted before a session can begin. */
  admitted(login: Login): void {
    if (login.admitted === null) return;
    if (this.#context.personal.isPersonal(login.account))
      this.#timer ??= setInterval(() => this.look(), LOOK_MS).unref();
    // sshd gets its answer first.
    else setImmediate(() => this.#note(login));
  }

  /** A login is over, and nothing of it runs any more. */
  over(login: Login): void {
    const { account, uid } = login;
    if (login.admitted === null || this.#isThere(account)) return;
    if (this.#context.personal.isPersonal(account)) void this.#endPersonal(account, uid, login);
    else void this.#endShared(account, login);
  }

  /** One round over the personal accounts that somebody is logged in to: nothing else may run as their uid. */
  look(): void {
    const { logins, personal } = this.#context;
    const there = logins.alive().filter((login) => personal.isPersonal(login.account));
    if (there.length === 0) this.stop();
    const seen = new Set<string>();
    for (const login of new Map(there.map((one) => [one.account, one])).values()) {
      const strays = this.#strays(login.uid);
      for (const stray of strays) seen.add(keyOf(stray));
      const again = strays.filter((stray) => this.#seen.has(keyOf(stray)));
      if (again.length > 0) void this.#endStrays(login, new Set(again.map(keyOf)));
    }
    this.#seen = seen;
  }

  async #endStrays(login: Login, which: ReadonlySet<string>): Promise<void> {
    const { account, uid } = login;
    await this.#attempt(account, async () => {
      const find = () => this.#strays(uid).filter((stray) => which.has(keyOf(stray)));
      this.#context.onEnded(account, login, await endProcesses(find));
    });
  }

  /** Processes of a uid that belong to no login which is there. */
  #strays(uid: number): ProcessIdentity[] {
    const running = processesOfUid(uid);
    if (running.length === 0) return [];
    const table = processTable();
    const ofLogins = new Set<number>();
    for (const login of this.#context.logins.alive()) {
      if (login.uid !== uid) continue;
      for (const { pid } of processesOf(login, this.#context.cgroups)) ofLogins.add(pid);
      for (const { pid } of descendantsOf(login.monitor.pid, table)) ofLogins.add(pid);
    }
    return running.filter(({ pid }) => !ofLogins.has(pid));
  }

  async #endPersonal(account: string, uid: number, login: Login | null): Promise<void> {
    await this.#attempt(account, async () => {
      const jobs = removeJobs(account, uid);
      const ended = await endProcesses(() => this.#strays(uid));
      // Again: one of them may have made a job before it ended.
      const later = this.#isThere(account) ? 0 : removeJobs(account, uid);
      if (jobs + later > 0) ended.push(`${jobs + later} jobs of at or cron`);
      if (ended.length > 0) this.#context.onEnded(account, login, ended);
    });
  }

  async #endShared(account: string, login: Login | null): Promise<void> {
    const { cgroups, onEnded, onTrouble } = this.#context;
    await this.#attempt(account, async () => {
      const note = this.#readNote(account);
      if (note === null) return;
      const { uid } = note;
      const changes = changesSince(note, takeNote(account, uid));
      const what = undo(changes);
      // A login that begins from here on has a note of its own.
      rmSync(this.#noteOf(account), { force: true });
      what.push(...(await endProcesses(() => this.#startedByJobs(note, changes))));
      if (this.#isThere(account)) {
        // It is theirs now, and ends with them.
      } else if (!isLingering(account) && !hasLogindSessions(uid, cgroups)) {
        what.push(...(await endUserManager(uid, cgroups)));
      } else {
        const left = userServiceProcesses(uid, cgroups).filter((one) => isSince(note, one));
        if (left.length > 0)
          onTrouble(account, "left-running", left.map(({ pid }) => describeProcess(pid)).join("; "));
      }
      if (what.length > 0) onEnded(account, login, what);
    });
  }

  /** What at or cron have started for the account since the first contractor came, where one of them was used. */
  #startedByJobs(note: AccountNote, { atUsed, cronUsed }: AccountChanges): ProcessIdentity[] {
    if (!atUsed && !cronUsed) return [];
    return processesOfUid(note.uid).filter((process) => {
      const group = this.#context.cgroups.of(process.pid) ?? "";
      const byJob = (atUsed && AT_SERVICE.test(group)) || (cronUsed && CRON_SERVICE.test(group));
      return byJob && isSince(note, process);
    });
  }

  #isThere(account: string): boolean {
    return this.#context.logins.alive().some((login) => login.account === account && login.admitted !== null);
  }

  #note({ account, uid }: Login): void {
    if (this.#readNote(account) !== null) return;
    try {
      writeFileDurably(this.#noteOf(account), JSON.stringify(takeNote(account, uid)));
    } catch (error) {
      this.#context.onTrouble(account, "remains-not-ended", `its jobs could not be noted: ${String(error)}`);
    }
  }

  #readNote(account: string): AccountNote | null {
    try {
      return AccountNote.parse(JSON.parse(readFileSync(this.#noteOf(account), "utf8")));
    } catch {
      return null; // none, or it was cut off by a crash
    }
  }

  /** Names of accounts have no slash: they come from passwd(5), and are what sshd knows a user by. */
  #noteOf(account: string): string {
    return join(this.#context.notes, account);
  }

  async #attempt(account: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#context.onTrouble(account, "remains-not-ended", String(error));
    }
  }
}

/** Removes jobs that are new and puts crontabs back; says what was done. */
function undo({ jobs, crontabs }: AccountChanges): string[] {
  for (const path of jobs) rmSync(path, { force: true });
  for (const { path, before } of crontabs) {
    if (before === null) rmSync(path, { force: true });
    else {
      // crontab(1) writes so too: cron reads what has a name, whole.
      const temporary = join(dirname(path), "tmp.sallyport");
      rmSync(temporary, { force: true });
      writeFileSync(temporary, Buffer.from(before.text, "base64"), { mode: 0o600, flag: "wx" });
      chownSync(temporary, before.owner, before.group);
      chmodSync(temporary, before.mode);
      renameSync(temporary, path);
    }
  }
  return [
    ...jobs.map((path) => `at job ${path}`),
    ...crontabs.map(({ path, before }) => `${path} ${before === null ? "was removed" : "was put back"}`),
  ];
}

function isSince(note: AccountNote, { startTime }: ProcessIdentity): boolean {
  return note.boot !== bootId() || startTime >= note.begun;
}

function keyOf({ pid, startTime }: ProcessIdentity): string {
  return `${pid}-${startTime}`;
}
