import { mfaSuffices } from "../admission/mfa.ts";
import type { Engagement, Member } from "./engagement.ts";
import type { Forwarding, Privilege, RecordingOptions, SessionLimits } from "./grants.ts";
import type { LocalPolicy } from "./local-policy.ts";

/**
 * What a host's local policies leave of an engagement. Pure; the result grants nothing that the engagement does not.
 * Hours and sources stay the engagement's own, because two of them do not make a third: `check-local-policy.ts` asks
 * every policy for those, and `sessionGrant` for commands and files.
 */
export function narrow(
  engagement: Engagement,
  policies: readonly LocalPolicy[],
  members: readonly Member[],
): Engagement {
  return policies.reduce<Engagement>((left, policy) => narrowBy(left, policy, members), engagement);
}

/** True where a policy keeps this member out of this engagement. `member` may be unknown: then only its id counts. */
export function denies(
  policy: LocalPolicy,
  engagement: Pick<Engagement, "name" | "vendor">,
  memberId: string,
  email: string | null,
): boolean {
  const { deny } = policy;
  if (deny === undefined) return false;
  const address = email?.toLowerCase();
  return (
    deny.all === true ||
    deny.vendors.includes(engagement.vendor) ||
    deny.engagements.includes(engagement.name) ||
    deny.members.some((named) => named === memberId || named.toLowerCase() === address)
  );
}

function narrowBy(engagement: Engagement, policy: LocalPolicy, members: readonly Member[]): Engagement {
  const emails = new Map(policy.deny === undefined ? [] : members.map((one) => [one.id, one.email]));
  const allowed = (account: string): boolean =>
    policy.accounts === undefined || policy.accounts.some((one) => one === account);
  return {
    ...engagement,
    members: engagement.members.filter((id) => !denies(policy, engagement, id, emails.get(id) ?? null)),
    accounts: engagement.accounts.filter(allowed),
    personal: members.some(({ account }) => account !== null && allowed(account))
      ? engagement.personal
      : null,
    commands: policy.sudo === "none" ? withoutSudo(engagement.commands) : engagement.commands,
    privilege: lowered(engagement.privilege, policy.sudo),
    forwarding: leftOf(engagement.forwarding, policy.forwarding),
    limits: tighter(engagement.limits, policy.limits),
    recording: stricter(engagement.recording, policy.recording),
    // A login shell that runs files of the user would run more than a list of commands.
    acceptUnsafeShell:
      engagement.acceptUnsafeShell && policy.acceptUnsafeShell !== false && policy.commands === undefined,
    mfa:
      policy.mfa === undefined
        ? engagement.mfa
        : {
            level: mfaSuffices(policy.mfa.level, engagement.mfa.level)
              ? policy.mfa.level
              : engagement.mfa.level,
            maxAge: least(engagement.mfa.maxAge, policy.mfa.maxAge),
          },
  };
}

const RANK = { none: 0, listed: 1, full: 2 } as const;

function lowered(privilege: Privilege, most: LocalPolicy["sudo"]): Privilege {
  return most === undefined || RANK[privilege.sudo] <= RANK[most] ? privilege : { sudo: "none" };
}

/** Without the commands that run as others: each of them is a rule for sudo. */
function withoutSudo(commands: Engagement["commands"]): Engagement["commands"] {
  return commands === null
    ? null
    : { ...commands, rules: commands.rules.filter(({ runAs }) => runAs === undefined) };
}

function leftOf(granted: Forwarding, most: LocalPolicy["forwarding"]): Forwarding {
  if (most === undefined) return granted;
  if (most === "none") return { local: [], remote: [], agent: false, x11: false };
  return {
    local: common(granted.local, most.local, "*"),
    remote: common(granted.remote, most.remote, ""),
    agent: granted.agent && most.agent,
    x11: granted.x11 && most.x11,
  };
}

/**
 * The destinations that both lists allow. A part that equals `any` stands for all: the port `*` of permitopen, the host
 * that permitlisten leaves out. Hosts are compared as sshd does it, letter by letter.
 */
function common<T extends string>(granted: readonly T[], most: readonly T[], any: string): T[] {
  const both = granted.flatMap((one) =>
    most.flatMap((other) => (covers(other, one, any) ? [one] : covers(one, other, any) ? [other] : [])),
  );
  return [...new Set(both)];
}

function covers(wide: string, small: string, any: string): boolean {
  const [wideHost, widePort] = split(wide);
  const [smallHost, smallPort] = split(small);
  return (
    (wideHost === smallHost || (any === "" && wideHost === "")) &&
    (widePort === smallPort || (any === "*" && widePort === "*"))
  );
}

function split(destination: string): [host: string, port: string] {
  const at = destination.lastIndexOf(":");
  return at < 0 ? ["", destination] : [destination.slice(0, at), destination.slice(at + 1)];
}

function tighter(limits: SessionLimits, most: SessionLimits | undefined): SessionLimits {
  if (most === undefined) return limits;
  return {
    idle: least(limits.idle, most.idle),
    longest: least(limits.longest, most.longest),
    concurrent: least(limits.concurrent, most.concurrent),
  };
}

function stricter(options: RecordingOptions, least: LocalPolicy["recording"]): RecordingOptions {
  return {
    input: options.input || least?.input === true,
    durability: least?.durability ?? options.durability,
  };
}

/** The smaller of two limits; null is none. */
function least(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}
