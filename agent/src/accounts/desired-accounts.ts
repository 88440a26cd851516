import { ruleName } from "@sallyport/core/commands/command-rule.ts";
import { sessionMode } from "@sallyport/core/commands/session-grant.ts";
import type { AccountName } from "@sallyport/core/names.ts";
import type { Bundle } from "@sallyport/core/policy/bundle.ts";
import { locallyAllowedAccounts } from "@sallyport/core/policy/check-local-policy.ts";
import { checkApproval, checkHost, checkWindow } from "@sallyport/core/policy/checks.ts";
import type { Engagement, Member } from "@sallyport/core/policy/engagement.ts";
import type { PersonalAccounts, Privilege, SudoCommand } from "@sallyport/core/policy/grants.ts";
import type { LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import { narrow } from "@sallyport/core/policy/narrow.ts";
import { refusalOf } from "@sallyport/core/policy/refusal.ts";
import type { RevocationLookup } from "@sallyport/core/policy/revocation.ts";
import { sudoForRule } from "./run-as-rules.ts";

/** An account that a member should have on this host now. */
export interface DesiredAccount {
  memberId: string;
  account: AccountName;
  groups: string[];
  home: PersonalAccounts["home"];
  /** When the last of the engagements that give it ends, in seconds since the epoch. */
  end: number;
  /** What sudo gives, of every engagement that runs. */
  privileges: Privilege[];
  /** What sudo may run for commands of engagements in mode `commands` that run as another account. */
  runAs: SudoCommand[];
  /** Such commands that have no rule for sudo, and why. */
  withheld: string[];
}

/** What the policy says of personal accounts at one moment. */
export interface DesiredAccounts {
  accounts: DesiredAccount[];
  /** Names of personal accounts and whose they are, over ones included; null where two members have the same. */
  owners: Map<string, string | null>;
  /** Accounts that members share here. */
  shared: Set<string>;
  /** When that changes by itself next, in seconds since the epoch. */
  nextChange: number | null;
}

/** The least that is lost when two engagements differ. */
const HOMES: PersonalAccounts["home"][] = ["keep", "archive", "delete"];

/**
 * The accounts that members of running engagements should have here. Several engagements of one member add up: groups
 * and sudo rules of each, the latest end, and the home is treated as the most careful of them says. Pure; `now` in
 * seconds since the epoch. What the host's own policy takes away is taken from groups and sudo rules; the account itself
 * and its home stay, for that policy may be lifted again, and meanwhile opens no login.
 */
export function desiredAccounts(
  bundle: Bundle,
  revocations: RevocationLookup,
  now: number,
  local: readonly LocalPolicy[] = [],
): DesiredAccounts {
  const here = bundle.engagements.filter((engagement) => means(engagement, bundle));
  const personal = here.filter((engagement) => engagement.personal !== null);
  const accounts: DesiredAccount[] = [];
  const owners: DesiredAccounts["owners"] = new Map();
  for (const member of bundle.members) {
    const given = personal.filter((engagement) => engagement.members.includes(member.id));
    if (member.account === null || given.length === 0) continue;
    owners.set(member.account, owners.has(member.account) ? null : member.id);
    const running = given.filter(
      (engagement) => runs(engagement, member, now) && !isRevoked(revocations, member, engagement),
    );
    if (running.length > 0) {
      const allowed = running.filter((engagement) => isAllowed(engagement, member, bundle, local));
      const narrowed = allowed.map((engagement) => narrow(engagement, local, bundle.members));
      const hasShell = [
        ...narrowed,
        ...here.filter(({ accounts }) => accounts.some((one) => one === member.account)),
      ].some((engagement) => sessionMode(engagement, local) === "shell");
      accounts.push({
        ...combine(member.id, member.account, running, narrowed),
        ...runAsOf(member.account, narrowed, hasShell),
      });
    }
  }
  return {
    accounts: accounts.filter(({ account }) => owners.get(account) !== null),
    owners,
    shared: new Set(here.flatMap((engagement) => engagement.accounts)),
    nextChange: nextChange(personal, now),
  };
}

function isAllowed(
  engagement: Engagement,
  member: Member,
  bundle: Bundle,
  local: readonly LocalPolicy[],
): boolean {
  return locallyAllowedAccounts(engagement, member.id, bundle, local).some((one) => one === member.account);
}

/** `granting` are the running engagements that the host's own policy leaves, narrowed by it. */
function combine(
  memberId: string,
  account: AccountName,
  running: readonly Engagement[],
  granting: readonly Engagement[],
): Omit<DesiredAccount, "runAs" | "withheld"> {
  const grants = running.flatMap((engagement) => engagement.personal ?? []);
  const groups = granting.flatMap(({ personal }) => personal?.groups ?? []);
  return {
    memberId,
    account,
    groups: [...new Set(groups)].toSorted(),
    home: HOMES.find((home) => grants.some((grant) => grant.home === home)) ?? "archive",
    end: Math.max(...running.map(endOf)),
    privileges: granting.map(({ privilege }) => privilege).filter(({ sudo }) => sudo !== "none"),
  };
}

/**
 * The rules with `runAs` as sudo's. Where the account has a shell too, of whatever engagement, sudo's rule is all that stands
 * between it and the program: then only what can be written exactly is granted.
 */
function runAsOf(
  account: AccountName,
  granting: readonly Engagement[],
  hasShell: boolean,
): Pick<DesiredAccount, "runAs" | "withheld"> {
  const [runAs, withheld]: [SudoCommand[], string[]] = [[], []];
  for (const { mode, commands } of granting) {
    for (const rule of mode === "commands" ? (commands?.rules ?? []) : []) {
      const sudo = sudoForRule(rule);
      if (sudo === null) continue;
      // As itself, but without no_new_privs: that would be a way to all its other rules.
      if (rule.runAs === account) withheld.push(`${ruleName(rule)}: it runs as the account itself`);
      else if (!sudo.exact && hasShell)
        withheld.push(
          `${ruleName(rule)}: its arguments cannot be written for sudo, and another engagement gives the account a shell`,
        );
      else runAs.push(...sudo.commands);
    }
  }
  return { runAs, withheld };
}

function runs(engagement: Engagement, member: Member, now: number): boolean {
  const moment = { account: member.account ?? "", memberId: member.id, now };
  return [checkWindow, checkApproval].every(
    (check) => refusalOf(() => check(moment, engagement)) === undefined,
  );
}

function means(engagement: Engagement, bundle: Bundle): boolean {
  return refusalOf(() => checkHost({ account: "", memberId: "", now: 0 }, engagement, bundle)) === undefined;
}

/**
 * Taken from this member in all their identities, from their vendor, or from all of the engagement. A revoked certificate or session
 * takes no account, nor does an entry after which they may sign in again.
 */
function isRevoked(revocations: RevocationLookup, member: Member, engagement: Engagement): boolean {
  const whoever = {
    ...{ certificateSerial: "", keyFingerprint: "", signedInAt: Number.POSITIVE_INFINITY },
    ...{ memberId: member.id, engagementId: engagement.id, vendors: [member.vendor, engagement.vendor] },
  };
  const identities = member.identities.length === 0 ? [{ issuer: "", subject: "" }] : member.identities;
  return identities.every((identity) => revocations.find({ ...whoever, ...identity }) !== undefined);
}

function endOf(engagement: Engagement): number {
  return Math.min(engagement.end, engagement.ended?.at ?? engagement.end);
}

function nextChange(engagements: readonly Engagement[], now: number): number | null {
  const times = engagements.flatMap((engagement) => [engagement.start, endOf(engagement)]);
  const later = times.filter((time) => time > now);
  return later.length === 0 ? null : Math.min(...later);
}
