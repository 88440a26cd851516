import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Bundle } from "@sallyport/core/policy/bundle.ts";
import type { UnsafeAccount } from "@sallyport/core/policy/evaluate.ts";
import type { Privilege } from "@sallyport/core/policy/grants.ts";
import type { LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import type { RevocationLookup } from "@sallyport/core/policy/revocation.ts";
import type { AgentConfig } from "../configuration/agent-config.ts";
import type { Accounts } from "../logins/accounts.ts";
import { type DesiredAccount, type DesiredAccounts, desiredAccounts } from "./desired-accounts.ts";
import { endAccount } from "./end-account.ts";
import { makeHome } from "./homes.ts";
import {
  assertOurs,
  ensureLocalAccount,
  existingGroups,
  isTakenUid,
  removeLocalAccount,
} from "./local-account.ts";
import { SudoersFiles, writableBy } from "./sudoers-files.ts";
import { sudoCommandProblem, sudoersText } from "./sudoers-text.ts";
import { type LedgerEntry, UidLedger } from "./uid-ledger.ts";
import { denyUserManager, forgetUserManager } from "./user-manager.ts";

const HOMES = "/home";
/** Looked at this often without a reason, so that what failed is tried again and a clock that was set is noticed. */
const LOOK_MS = 3_600_000;
const RETRY_MS = 60_000;

export interface PersonalAccountsContext {
  config: Pick<
    AgentConfig,
    "group" | "shim" | "stateDirectory" | "personalUids" | "trustFile" | "diskReserve"
  >;
  accounts: Accounts;
  policy: {
    readonly bundle: Bundle | null;
    readonly revocations: RevocationLookup;
    /** The host's own policies. */
    local(): readonly LocalPolicy[];
  };
  /** Recorded sessions that run as this account. */
  sessionsAs(account: string): number;
  /** Seconds since the epoch. */
  now(): number;
  /** What happened to an account; `code` where it is trouble. */
  report(
    type: "account-created" | "account-locked" | "account-removed" | "trouble",
    account: string,
    memberId: string,
    detail: string,
    code?: string,
  ): void;
}

/**
 * Keeps the members' own accounts as the policy has them: made when an engagement begins, ended when the last one ends.
 * Works in the background; what fails for one account is reported and tried again, and stands in nobody else's way.
 */
export class PersonalAccounts {
  readonly #context: PersonalAccountsContext;
  readonly #sudoers = new SudoersFiles();
  #ledger: UidLedger | undefined;
  #wanted = false;
  #running: Promise<void> | undefined;
  readonly #ending = new Map<string, Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #failed = false;
  /** Seconds since the epoch. */
  #nextChange: number | null = null;
  readonly #told = new Map<string, string>();
  #read: { bundle: Bundle; names: Pick<DesiredAccounts, "owners" | "shared"> } | undefined;

  constructor(context: PersonalAccountsContext) {
    this.#context = context;
    try {
      mkdirSync(context.config.stateDirectory, { recursive: true });
      const path = join(context.config.stateDirectory, "personal-accounts.json");
      this.#ledger = new UidLedger(path, context.config.personalUids);
    } catch (error) {
      // Without it nothing is made and nobody gets into an account of their own; everything else goes on.
      this.#trouble("", "", "account-ledger", error);
    }
  }

  /** Makes the accounts what the policy says now; returns at once. Called at every new bundle and revocation. */
  sync(): void {
    this.#wanted = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#wanted) this.sync();
    });
  }

  /** Resolves when nothing is under way any more. */
  async idle(): Promise<void> {
    while (this.#running !== undefined || this.#ending.size > 0)
      await Promise.all([this.#running, ...this.#ending.values()]);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Was this account made by us, and is it still there? */
  isPersonal(account: string): boolean {
    const entry = this.#ledger?.holder(account);
    return entry !== undefined && this.#context.accounts.get(account)?.uid === entry.uid;
  }

  /** The accounts that were made by us and are there, as the ledger has them. */
  get present(): LedgerEntry[] {
    return (this.#ledger?.entries ?? []).filter(
      ({ state, account }) => state !== "gone" && this.isPersonal(account),
    );
  }

  /**
   * Why this account cannot be used, or null. A name that the policy gives to a member must be an account that we made for
   * that very member: one that the host had before stays closed, whatever the policy calls it.
   */
  unsafe(account: string): UnsafeAccount | null {
    const never = (reason: string): UnsafeAccount => ({ reason, acceptable: false });
    const { owners, shared } = this.#names();
    const owner = owners.get(account);
    const entry = this.#ledger?.holder(account);
    if (owner === undefined && entry === undefined) return null;
    if (owner === null) return never(`account ${account} is the own account of two members`);
    if (shared.has(account)) return never(`account ${account} is shared, and a member's own`);
    if (entry === undefined || entry.memberId !== owner || !this.isPersonal(account))
      return never(`account ${account} was not made by Sallyport for this member, or not yet`);
    return entry.state === "active" ? null : never(`account ${account} is ${entry.state}`);
  }

  /** Undoes everything, for `leave`: every account ends and is removed, sudo rules too; the uids stay given. */
  async removeAll(): Promise<void> {
    this.stop();
    for (const entry of this.#ledger?.entries ?? []) {
      if (entry.state === "gone") continue;
      if (entry.state !== "locked") await this.#end(entry);
      const after = this.#ledger?.of(entry.memberId);
      if (after?.state === "locked") await this.#remove(after);
    }
    this.#sudoers.keepOnly(new Set());
  }

  async #run(): Promise<void> {
    while (this.#wanted && !this.#isStopped) {
      this.#wanted = false;
      this.#failed = false;
      this.#nextChange = await this.#reconcile();
      this.#arm();
    }
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    const next = this.#nextChange;
    const until = next === null ? LOOK_MS : (next - this.#context.now()) * 1000 + 10;
    const delay = Math.max(10, Math.min(until, this.#failed ? RETRY_MS : LOOK_MS));
    this.#timer = setTimeout(() => this.sync(), delay).unref();
  }

  async #reconcile(): Promise<number | null> {
    const { policy, now, config } = this.#context;
    const ledger = this.#ledger;
    // After `leave` nothing is made any more, though this process may still run.
    if (ledger === undefined || policy.bundle === null || !existsSync(config.trustFile)) return null;
    const desired = desiredAccounts(policy.bundle, policy.revocations, now(), policy.local());
    const isWanted = (entry: LedgerEntry) =>
      desired.accounts.some((one) => one.memberId === entry.memberId && one.account === entry.account);
    for (const entry of ledger.entries) {
      if (entry.state === "gone" || isWanted(entry)) continue;
      if (entry.state !== "locked") this.#endSoon(entry);
      else if (desired.owners.get(entry.account) !== entry.memberId) await this.#remove(entry);
    }
    for (const one of desired.accounts) await this.#ensure(one, ledger);
    const allowed = new Set(desired.accounts.map(({ account }) => account));
    for (const account of this.#sudoers.keepOnly(allowed as Set<string>))
      this.#trouble(account, "", "sudo-rules-left", "sudo rules that were left behind were removed");
    return desired.nextChange;
  }

  async #ensure(wanted: DesiredAccount, ledger: UidLedger): Promise<void> {
    const { config, accounts, report } = this.#context;
    const { account, memberId } = wanted;
    // Its end goes on; when that is over we look again.
    if (this.#ending.has(memberId)) return;
    await this.#attempt(account, memberId, "account-failed", async () => {
      const holder = ledger.holder(account);
      const before = ledger.of(memberId);
      if (holder !== undefined && holder.memberId !== memberId)
        throw new Error(`account ${account} is still that of member ${holder.memberId}`);
      // The account's name was changed: the old one has to go first, and the uid comes along.
      if (before !== undefined && before.account !== account && before.state !== "gone") return;
      // Before a uid is given away for nothing.
      assertOurs(account, before?.uid, accounts);
      const entry = await ledger.take({ memberId, account, home: wanted.home }, isTakenUid);
      const groups = existingGroups(wanted.groups).filter((group) => group !== config.group);
      const home = join(HOMES, account);
      denyUserManager(entry.uid);
      const local = { account, memberId, uid: entry.uid, shell: config.shim, home, end: wanted.end };
      const isNew = await ensureLocalAccount({ ...local, groups: [config.group, ...groups] }, accounts);
      makeHome(home, entry.uid);
      if (isNew || before?.state === "locked")
        report(
          "account-created",
          account,
          memberId,
          `uid ${entry.uid}, groups ${groups.join(", ") || "none"}`,
        );
      const missing = wanted.groups.filter((group) => !groups.includes(group) && group !== config.group);
      if (missing.length > 0)
        this.#trouble(account, memberId, "group-missing", `this host has no group ${missing.join(", ")}`);
      const privileges = [
        ...wanted.privileges.map((privilege) => this.#usable(wanted, privilege)),
        this.#runAs(wanted),
      ];
      await this.#attempt(account, memberId, "sudo-failed", () =>
        this.#sudoers.set(account, sudoersText(entry.uid, privileges)),
      );
    });
  }

  /** The commands of a privilege that can be granted so that they mean just themselves; the others are reported. */
  #usable({ account, memberId }: DesiredAccount, privilege: Privilege): Privilege {
    if (privilege.sudo !== "listed") return privilege;
    const problems: string[] = [];
    const commands = privilege.commands.filter((command) => {
      const problem = sudoCommandProblem(command) ?? writableBy(command.program);
      if (problem !== null) problems.push(`${command.program}: ${problem}`);
      return problem === null;
    });
    if (problems.length > 0) this.#trouble(account, memberId, "sudo-command-refused", problems.join("; "));
    return commands.length === 0 ? { sudo: "none" } : { sudo: "listed", commands };
  }

  /** What sudo may run for commands with `runAs`. A program without slashes stands for several, most of which are not there. */
  #runAs({ account, memberId, runAs, withheld }: DesiredAccount): Privilege {
    const problems = [...withheld];
    const commands = runAs.filter((command) => {
      const problem = sudoCommandProblem(command) ?? writableBy(command.program);
      if (problem !== null && existsSync(command.program)) problems.push(`${command.program}: ${problem}`);
      return problem === null;
    });
    if (problems.length > 0) this.#trouble(account, memberId, "sudo-command-refused", problems.join("; "));
    return commands.length === 0 ? { sudo: "none" } : { sudo: "listed", commands };
  }

  #endSoon(entry: LedgerEntry): void {
    if (this.#ending.has(entry.memberId)) return;
    const ending = this.#end(entry).finally(() => {
      this.#ending.delete(entry.memberId);
      // Wanted again meanwhile, or to be removed: another look tells. A failure has its own timer.
      if (this.#ledger?.of(entry.memberId)?.state === "locked") this.sync();
      else this.#arm();
    });
    this.#ending.set(entry.memberId, ending);
  }

  #end(entry: LedgerEntry): Promise<void> {
    const { account, memberId } = entry;
    const { config, accounts, sessionsAs, now, report } = this.#context;
    return this.#attempt(account, memberId, "account-end-failed", async () => {
      this.#ledger?.setState(memberId, "ending");
      const archives = {
        directory: join(config.stateDirectory, "archives"),
        reserve: 2 * config.diskReserve,
      };
      const needs = { accounts, sessionsAs, now, archives, sudoers: this.#sudoers, group: config.group };
      const detail = await endAccount(entry, join(HOMES, account), needs);
      this.#ledger?.setState(memberId, "locked");
      report("account-locked", account, memberId, detail);
    });
  }

  #remove(entry: LedgerEntry): Promise<void> {
    return this.#attempt(entry.account, entry.memberId, "account-end-failed", async () => {
      await removeLocalAccount(entry, this.#context.accounts);
      forgetUserManager(entry.uid);
      this.#ledger?.setState(entry.memberId, "gone");
      this.#context.report(
        "account-removed",
        entry.account,
        entry.memberId,
        `uid ${entry.uid} is not used again`,
      );
    });
  }

  async #attempt(account: string, memberId: string, code: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#told.delete(`${memberId} ${code}`);
    } catch (error) {
      this.#failed = true;
      this.#trouble(account, memberId, code, error);
    }
  }

  /** Said once, and again when it is something else. */
  #trouble(account: string, memberId: string, code: string, problem: unknown): void {
    const detail = problem instanceof Error ? problem.message : String(problem);
    if (this.#told.get(`${memberId} ${code}`) === detail) return;
    this.#told.set(`${memberId} ${code}`, detail);
    this.#context.report("trouble", account, memberId, detail, code);
  }

  #names(): Pick<DesiredAccounts, "owners" | "shared"> {
    const { policy, now } = this.#context;
    const { bundle } = policy;
    if (bundle === null) return { owners: new Map(), shared: new Set() };
    // Owners and shared accounts do not hang on the time: once per bundle is enough.
    if (this.#read?.bundle !== bundle)
      this.#read = { bundle, names: desiredAccounts(bundle, policy.revocations, now()) };
    return this.#read.names;
  }
}
