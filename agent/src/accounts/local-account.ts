import { readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { Accounts } from "../logins/accounts.ts";
import { mustRunTool, runTool } from "./system-tools.ts";

const DAY = 86_400;
/** No password matches it: not locked, and no way in by password (shadow(5)). */
const NO_PASSWORD = "*";
const LOCKED = "!";

/** An account as it is to stand in /etc/passwd, /etc/shadow and /etc/group. */
export interface LocalAccount {
  account: string;
  uid: number;
  memberId: string;
  /** Login shell: the shim, so that nothing of the user's runs before the recorder. */
  shell: string;
  home: string;
  /** Groups besides its own; all of them exist. */
  groups: string[];
  /** Seconds since the epoch; the account expires on the day after, should nobody lock it. */
  end: number;
}

/** Is this uid, or the gid of its number, in use on the host, by NSS too? */
export async function isTakenUid(uid: number): Promise<boolean> {
  const users = await runTool("getent", ["passwd", String(uid)]);
  const groups = await runTool("getent", ["group", String(uid)]);
  return users.status === 0 || groups.status === 0;
}

/** Those of the groups that the host has. */
export function existingGroups(groups: readonly string[]): string[] {
  const there = new Set(groupLines().map(([name]) => name));
  return groups.filter((group) => there.has(group));
}

/**
 * Makes the account, or makes it what it is to be; returns true when it is new. Codes: `conflict` when the host has an
 * account or group of this name that is not ours, which is never touched; `internal` when a tool fails.
 */
export async function ensureLocalAccount(wanted: LocalAccount, accounts: Accounts): Promise<boolean> {
  const { account, uid, shell, home } = wanted;
  const expiry = expiryDay(wanted.end);
  const present = accounts.get(account);
  if (present === undefined) {
    if ((await runTool("getent", ["passwd", account])).status === 0) throw notOurs(account);
    await ensureOwnGroup(account, uid);
    await mustRunTool("useradd", [
      ...["--uid", String(uid), "--gid", String(uid), "--groups", wanted.groups.join(",")],
      ...["--home-dir", home, "--no-create-home", "--shell", shell, "--password", NO_PASSWORD],
      ...["--expiredate", dateOf(expiry), "--comment", `Sallyport ${wanted.memberId}`],
      // Beyond the range of ordinary accounts on purpose; and no subordinate uids: what runs under those would be
      // nobody's when the account ends.
      ...["--key", `UID_MAX=${uid}`, "--key", "SUB_UID_COUNT=0", "--key", "SUB_GID_COUNT=0"],
      account,
    ]);
    return true;
  }
  assertOurs(account, uid, accounts);
  const shadow = shadowOf(account);
  const changes = [
    ...(present.shell === shell ? [] : ["--shell", shell]),
    ...(present.home === home ? [] : ["--home", home]),
    ...(shadow.password === NO_PASSWORD ? [] : ["--password", NO_PASSWORD]),
    ...(shadow.expiry === expiry ? [] : ["--expiredate", dateOf(expiry)]),
    ...(isSame(groupsOf(account), wanted.groups) ? [] : ["--groups", wanted.groups.join(",")]),
  ];
  if (changes.length > 0) await mustRunTool("usermod", [...changes, account]);
  return false;
}

/** Throws `conflict` where the host has an account of this name that is not the one with our uid. */
export function assertOurs(account: string, uid: number | undefined, accounts: Accounts): void {
  const present = accounts.get(account);
  if (present !== undefined && (present.uid !== uid || present.gid !== uid)) throw notOurs(account);
}

/** Locks an account of ours and takes its groups, but the one that sshd knows it by; nothing when it is not there, or not ours. */
export async function lockLocalAccount(
  { account, uid }: Pick<LocalAccount, "account" | "uid">,
  group: string,
  accounts: Accounts,
): Promise<void> {
  if (accounts.get(account)?.uid !== uid) return;
  await mustRunTool("usermod", ["--password", LOCKED, "--expiredate", "1", "--groups", group, account]);
}

/** Takes an account of ours out of the host; its uid stays given. Nothing when it is not there. */
export async function removeLocalAccount(
  { account, uid }: Pick<LocalAccount, "account" | "uid">,
  accounts: Accounts,
): Promise<void> {
  const present = accounts.get(account);
  if (present?.uid === uid) await mustRunTool("userdel", [account]);
  const group = groupLines().find(([name]) => name === account);
  if (group?.[2] === String(uid)) await mustRunTool("groupdel", [account]);
}

async function ensureOwnGroup(account: string, gid: number): Promise<void> {
  const group = groupLines().find(([name]) => name === account);
  if (group === undefined) await mustRunTool("groupadd", ["--gid", String(gid), account]);
  else if (group[2] !== String(gid)) throw notOurs(account);
}

/** Days since the epoch, as shadow(5) counts. */
function expiryDay(end: number): number {
  return Math.floor(end / DAY) + 1;
}

function dateOf(day: number): string {
  return new Date(day * DAY * 1000).toISOString().slice(0, 10);
}

function shadowOf(account: string): { password: string; expiry: number } {
  const line = readFileSync("/etc/shadow", "utf8")
    .split("\n")
    .find((one) => one.startsWith(`${account}:`));
  const fields = line?.split(":") ?? [];
  return { password: fields[1] ?? "", expiry: Number(fields[7] || Number.NaN) };
}

function groupsOf(account: string): string[] {
  return groupLines().flatMap(([name, , , members]) =>
    name !== undefined && members?.split(",").includes(account) === true ? [name] : [],
  );
}

function groupLines(): string[][] {
  return readFileSync("/etc/group", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.toSorted().join() === b.toSorted().join();
}

function notOurs(account: string): SallyportError {
  return new SallyportError(
    "conflict",
    `This host has an account or group ${account} that Sallyport did not make. It is left alone, and the member cannot log in: give the member another "account" in the policy.`,
  );
}
