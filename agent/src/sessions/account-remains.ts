import { endProcesses, processesOfUid } from "../accounts/account-processes.ts";
import { isLingering, removeJobs } from "../accounts/left-files.ts";
import { endUserManager, hasLogindSessions, userServiceProcesses } from "../accounts/user-manager.ts";
import { bootId } from "../kernel/boot-id.ts";
import type { Cgroups } from "../kernel/cgroups.ts";
import { ProcessSnapshot } from "../kernel/process-snapshot.ts";
import { descendantsOf, describeProcess, type ProcessIdentity, processTable } from "../kernel/processes.ts";
import { isLetIn } from "../logins/admission-trail.ts";
import type { Login } from "../logins/login.ts";
import type { LoginRegistry } from "../logins/login-registry.ts";
import { type AccountChanges, type AccountNote, changesSince, takeNote } from "./account-note.ts";
import type { AccountNotes } from "./account-notes.ts";
import { processesOf } from "./login-processes.ts";
import { undoChanges } from "./undo-changes.ts";

/** What runs outside of every login of a personal account is killed at the second sight, so within twice this. */
const LOOK_MS = 800;
/** The services that start jobs, as Debian and others call them. */
const AT_SERVICE = /\/atd?\.service$/;
const CRON_SERVICE = /\/(cron|crond|anacron|cronie)\.service$/;

export interface AccountRemainsContext {
  logins: LoginRegistry;
  /** Program of sshd. */
  sshd: string;
  cgroups: Cgroups;
  /** The accounts that members have of their own; every other one is shared with people of the host's. */
  personal: { isPersonal(account: string): boolean; readonly present: { account: string; uid: number }[] };
  notes: AccountNotes;
  /** Something was ended or removed: `login` is the last one of the account, null where nobody remembers. */
  onEnded(account: string, login: Login | null, what: string[]): void;
  /** Something may go on, or could not be ended. */
  onTrouble(account: string, code: "left-running" | "remains-not-ended", detail: string): void;
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
  }

  /** Ends what was left while no agent ran: by logins that are over, also those of before a reboot. */
  start(): void {
    const { personal, logins, notes } = this.#context;
    for (const { account, uid } of personal.present)
      if (!this.#isThere(account)) void this.#endPersonal(account, uid, null);
    for (const account of notes.accounts) {
      notes.watch();
      if (!this.#isThere(account)) void this.#endShared(account, null);
    }
    for (const login of logins.alive()) this.admitted(login);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#context.notes.close();
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
    if (there.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
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
    const { cgroups, logins, notes, onEnded, onTrouble } = this.#context;
    await this.#attempt(account, async () => {
      const note = notes.read(account);
      if (note === null) return;
      const { uid } = note;
      const changes = changesSince(note, takeNote(account, uid));
      const what = undoChanges(changes);
      notes.remove(account);
      // Whoever is being let in just now begins with what is there now.
      for (const one of logins.alive()) if (one.account === account && one.admitted !== null) this.#note(one);
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

  /** Who has a certificate but has not shown its key yet is not there, and keeps nothing alive by asking. */
  #isThere(account: string): boolean {
    const { logins, sshd } = this.#context;
    const { table } = new ProcessSnapshot();
    return logins
      .alive()
      .some((login) => login.account === account && login.admitted !== null && isLetIn(login, sshd, table));
  }

  #note({ account, uid }: Login): void {
    try {
      this.#context.notes.take(account, uid);
    } catch (error) {
      this.#context.onTrouble(account, "remains-not-ended", `its jobs could not be noted: ${String(error)}`);
    }
  }

  async #attempt(account: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#context.onTrouble(account, "remains-not-ended", String(error));
    }
  }
}

function isSince(note: AccountNote, { startTime }: ProcessIdentity): boolean {
  return note.boot !== bootId() || startTime >= note.begun;
}

function keyOf({ pid, startTime }: ProcessIdentity): string {
  return `${pid}-${startTime}`;
}
