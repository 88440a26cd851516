import { sessionMode } from "../commands/session-grant.ts";
import type { Bundle } from "./bundle.ts";
import { accountsOf, checkMfa, checkSource, type EngagementRequest, type Moment } from "./checks.ts";
import type { Engagement } from "./engagement.ts";
import { closingTime, withinHours } from "./hours.ts";
import type { LocalPolicy } from "./local-policy.ts";
import { denies, narrow } from "./narrow.ts";
import { RefusedError, refusalOf } from "./refusal.ts";
import { tell } from "./told.ts";

/**
 * Does the host's own policy let this login be? Asked of an engagement that allows it otherwise. Codes
 * `local-policy`, `mode-not-allowed`; the log names the part that forbids it, the contractor is told what kind of thing it is, and nothing that is in the file.
 */
export function checkLocalPolicy(
  request: EngagementRequest,
  engagement: Engagement,
  bundle: Bundle,
  policies: readonly LocalPolicy[],
): void {
  checkLocalPolicyGoesOn(request, engagement, bundle, policies);
  const narrowed = narrow(engagement, policies, bundle.members);
  const weak = refusalOf(() => checkMfa(request, narrowed))?.refusal;
  if (weak !== undefined) refuse(engagement, `mfa: ${weak.detail}`, "a sign-in as weak or as old as yours");
  for (const { sources } of policies) {
    const astray =
      sources === undefined ? undefined : refusalOf(() => checkSource(request, { ...engagement, sources }));
    if (astray !== undefined)
      refuse(engagement, `sources: ${astray.refusal.detail}`, "logins from your address");
  }
}

/** The part of {@link checkLocalPolicy} that a running session must go on passing. */
export function checkLocalPolicyGoesOn(
  moment: Moment,
  engagement: Engagement,
  bundle: Bundle,
  policies: readonly LocalPolicy[],
): void {
  const email = bundle.members.find((member) => member.id === moment.memberId)?.email ?? null;
  for (const policy of policies) {
    if (denies(policy, engagement, moment.memberId, email)) refuse(engagement, "deny", "your access");
    if (policy.accounts?.every((account) => account !== moment.account))
      refuse(engagement, `accounts: not ${moment.account}`, "this account");
    if (policy.hours !== undefined && !withinHours(policy.hours, moment.now))
      refuse(engagement, "hours: outside of them", "access at this time");
  }
  checkMode(engagement, policies);
}

function checkMode(engagement: Engagement, policies: readonly LocalPolicy[]): void {
  const mode = sessionMode(engagement, policies);
  for (const { modes } of policies) {
    if (modes?.includes(mode) !== false) continue;
    throw new RefusedError("mode-not-allowed", `modes: not ${mode}`, {
      told: tell.modeNotAllowed({ ...engagement, mode }, modes),
    });
  }
}

/** The accounts that are left to one member on this host: what account keeping makes, and the contractor may use. */
export function locallyAllowedAccounts(
  engagement: Engagement,
  memberId: string,
  bundle: Pick<Bundle, "members">,
  policies: readonly LocalPolicy[],
): string[] {
  const email = bundle.members.find((member) => member.id === memberId)?.email ?? null;
  if (policies.some((policy) => denies(policy, engagement, memberId, email))) return [];
  const mode = sessionMode(engagement, policies);
  if (policies.some(({ modes }) => modes?.includes(mode) === false)) return [];
  return accountsOf(engagement, memberId, bundle).filter((account) =>
    policies.every(({ accounts }) => accounts === undefined || accounts.some((one) => one === account)),
  );
}

/** When the hours of the local policies close next, in seconds since the epoch; infinity where they do not. */
export function localClosingTime(policies: readonly LocalPolicy[], now: number): number {
  const ends = policies.map(({ hours }) => (hours === undefined ? null : closingTime(hours, now)));
  return Math.min(...ends.map((end) => end ?? Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY);
}

function refuse(engagement: Engagement, detail: string, what: string): never {
  throw new RefusedError("local-policy", detail, { told: tell.localPolicy(engagement, what) });
}
