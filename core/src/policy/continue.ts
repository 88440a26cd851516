import { sessionMode } from "../commands/session-grant.ts";
import type { Bundle } from "./bundle.ts";
import { checkLocalPolicyGoesOn, localClosingTime } from "./check-local-policy.ts";
import { checkAccount, checkApprovalStands, checkHost, checkHours, checkWindow } from "./checks.ts";
import type { Engagement, SessionMode } from "./engagement.ts";
import { closingTime } from "./hours.ts";
import type { LocalPolicy } from "./local-policy.ts";
import { refusalOf } from "./refusal.ts";
import type { RevocationLookup } from "./revocation.ts";
import { tell } from "./told.ts";

/** What a live session is known by. */
export interface RunningSession {
  sessionId: string;
  memberId: string;
  engagementId: string;
  account: string;
  certificateSerial: string;
  keyFingerprint: string;
  issuer: string;
  subject: string;
  /** `iat` of the sign-in's ID token, in seconds; null where a version before did not keep it. */
  signedInAt: number | null;
  /** What the session is; left out where there is none yet, on a connection. */
  mode?: SessionMode;
}

/** Why a session must end now. */
export interface MustEnd {
  reason: "revoked" | "engagement-ended";
  detail: string;
  told: string;
}

/** The checks of a login that a running session must go on passing. MFA, source and lease matter at login only. */
const LASTING_CHECKS = [checkWindow, checkHours, checkHost, checkAccount, checkApprovalStands];

/**
 * May this session go on? Everything that can take access away while it runs is asked again: revocations, membership,
 * of the engagement its window, hours, hosts, accounts and that its approval was not withdrawn, and of the host's own policies what they forbid. Where
 * the host has no bundle (null) that it can use, revocations alone, of whatever is known without one: all but vendors. Pure.
 */
export function mustEnd(
  session: RunningSession,
  bundle: Bundle | null,
  revocations: RevocationLookup,
  now: number,
  local: readonly LocalPolicy[] = [],
): MustEnd | null {
  const engagement = bundle?.engagements.find((one) => one.id === session.engagementId);
  const member = bundle?.members.find((one) => one.id === session.memberId);
  const vendors = [member, engagement].flatMap((one) => (one === undefined ? [] : [one.vendor]));
  const entry = revocations.find({ ...session, vendors });
  if (entry !== undefined) {
    const told = engagement === undefined ? "Your access was revoked." : tell.revoked(entry, engagement);
    return { reason: "revoked", detail: `${entry.level} ${entry.target} revoked by ${entry.by}`, told };
  }
  if (bundle === null) return null;
  if (engagement === undefined) {
    return {
      reason: "engagement-ended",
      detail: "the engagement is gone",
      told: "Your engagement has ended.",
    };
  }
  if (!engagement.members.includes(session.memberId)) {
    return { reason: "engagement-ended", detail: "no longer a member", told: tell.notAMember(bundle) };
  }
  const moment = { account: session.account, memberId: session.memberId, now };
  const localCheck = () => checkLocalPolicyGoesOn(moment, engagement, bundle, local);
  for (const check of [...LASTING_CHECKS, localCheck]) {
    const refusal = refusalOf(() => check(moment, engagement, bundle))?.refusal;
    if (refusal !== undefined) {
      return { reason: "engagement-ended", detail: refusal.detail, told: refusal.told ?? "" };
    }
  }
  return session.mode === undefined ? null : changedMode(session.mode, engagement, local);
}

/** A session stays what it began as; that a shell would be allowed now takes nothing from it. */
function changedMode(
  began: SessionMode,
  engagement: Engagement,
  local: readonly LocalPolicy[],
): MustEnd | null {
  const mode = sessionMode(engagement, local);
  if (mode === began || mode === "shell") return null;
  return {
    reason: "engagement-ended",
    detail: `the mode is ${mode} now, the session began as ${began}`,
    told: tell.modeChanged({ ...engagement, mode }),
  };
}

/** When a session of this engagement ends as things stand: its end, or the close of its or the host's hours. Seconds. */
export function endsAt(engagement: Engagement, now: number, local: readonly LocalPolicy[] = []): number {
  const closing = engagement.hours === null ? null : closingTime(engagement.hours, now);
  return Math.min(endOf(engagement), closing ?? Number.POSITIVE_INFINITY, localClosingTime(local, now));
}

function endOf(engagement: Engagement): number {
  return Math.min(engagement.end, engagement.ended?.at ?? Number.POSITIVE_INFINITY);
}
