import type { ProvenIdentity } from "../admission/verify-identity.ts";
import type { Bundle } from "./bundle.ts";
import { checkLocalPolicy } from "./check-local-policy.ts";
import {
  checkAccount,
  checkApproval,
  checkAssurance,
  checkHost,
  checkHours,
  checkMembership,
  checkMfa,
  checkSource,
  checkWindow,
  type EngagementRequest,
} from "./checks.ts";
import type { Engagement, Member } from "./engagement.ts";
import type { LocalPolicy } from "./local-policy.ts";
import { narrow } from "./narrow.ts";
import { type Refusal, RefusedError, refusalOf } from "./refusal.ts";
import type { RevocationLookup } from "./revocation.ts";
import { tell } from "./told.ts";

/** One login as the host sees it. */
export interface LoginRequest {
  identity: ProvenIdentity;
  account: string;
  /** The peer's address as the kernel knows it; null where it could not be read. */
  sourceAddress: string | null;
  /** Seconds since the epoch. */
  now: number;
}

/** What the host knows and is at this moment. */
export interface HostCondition {
  /** Verified bundle, or null before the first one. */
  bundle: Bundle | null;
  /** Whether windows and the lease can be judged: false once the clock was found to be set back. */
  clock: { trusted: boolean; detail: string };
  /** The policies of the host's own administrator; they narrow what the bundle allows. */
  local: readonly LocalPolicy[];
  /** Seconds since the epoch; may be later than the bundle's own, by signed leases. */
  leaseUntil: number;
  revocations: RevocationLookup;
  recorderReady: boolean;
  /** Free space that running sessions need to end cleanly is still there. */
  spoolReserveFree: boolean;
  /** Why this account must not be used, or null when it may be. */
  accountUnsafe(account: string): UnsafeAccount | null;
  /** Sessions that this member has on this host now. */
  sessionsOf(memberId: string): number;
}

/** What is wrong with an account; `acceptable` where an engagement may accept it: its shell runs the user's files first. */
export interface UnsafeAccount {
  reason: string;
  acceptable: boolean;
}

export interface Admission {
  outcome: "admit";
  member: Member;
  /** What it grants on this host: the bundle's engagement, narrowed by the local policies. */
  engagement: Engagement;
}

export interface RefusedLogin {
  outcome: "refuse";
  refusal: Refusal;
  member: Member | null;
  engagement: Engagement | null;
}

export type Decision = Admission | RefusedLogin;

/**
 * The second half of admission: may this proven person log in to this account here and now? Pure: the same input gives
 * the same answer. Each engagement of the member is tried; the first that passes every check admits. When none does,
 * the refusal comes from the one that the contractor meant: for this host and account, and of those the one that got
 * furthest.
 */
export function evaluateLogin(request: LoginRequest, host: HostCondition): Decision {
  let member: Member | null = null;
  let engagement: Engagement | null = null;
  try {
    const bundle = requireBundle(host);
    checkClock(host);
    member = checkMembership(request, bundle);
    engagement = chooseEngagement(request, member, bundle, host);
    return { outcome: "admit", member, engagement };
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    if (error instanceof EngagementRefusedError) engagement = error.engagement;
    return { outcome: "refuse", refusal: error.refusal, member, engagement };
  }
}

function requireBundle(host: HostCondition): Bundle {
  if (host.bundle === null) {
    throw new RefusedError("policy-missing", "no bundle yet", { told: tell.policyMissing() });
  }
  return host.bundle;
}

function checkClock(host: HostCondition): void {
  if (host.clock.trusted) return;
  throw new RefusedError("clock-set-back", host.clock.detail, { told: tell.clockSetBack() });
}

class EngagementRefusedError extends RefusedError {
  readonly engagement: Engagement;
  readonly progress: number;

  constructor(cause: RefusedError, engagement: Engagement, progress: number) {
    super(cause.refusal.code, cause.refusal.detail, {
      cause,
      ...(cause.refusal.told === null ? {} : { told: cause.refusal.told }),
    });
    this.engagement = engagement;
    this.progress = progress;
  }
}

/** The checks that hang on one engagement, in DESIGN's order. */
const ENGAGEMENT_CHECKS = [
  checkAssurance,
  checkMfa,
  checkWindow,
  checkHours,
  checkSource,
  checkHost,
  checkAccount,
  checkApproval,
];

function chooseEngagement(
  request: LoginRequest,
  member: Member,
  bundle: Bundle,
  host: HostCondition,
): Engagement {
  let furthest: EngagementRefusedError | undefined;
  for (const engagement of bundle.engagements) {
    if (!engagement.members.includes(member.id)) continue;
    const narrowed = narrow(engagement, host.local, bundle.members);
    const refused = tryEngagement({ ...request, memberId: member.id }, engagement, bundle, [
      () => checkLocalPolicy({ ...request, memberId: member.id }, engagement, bundle, host.local),
      () => checkRevocation(request, member, engagement, host.revocations),
      () => checkIdpAsked(request, engagement, bundle),
      () => checkLease(request, host),
      () => checkRecorder(host),
      () => checkAccountSafety(request, narrowed, host),
      () => checkConcurrent(member, narrowed, host),
    ]);
    if (refused === undefined) return narrowed;
    if (furthest === undefined || refused.progress > furthest.progress) furthest = refused;
  }
  throw (
    furthest ??
    new RefusedError("not-a-member", "member of no engagement here", { told: tell.notAMember(bundle) })
  );
}

function tryEngagement(
  request: EngagementRequest,
  engagement: Engagement,
  bundle: Bundle,
  hostChecks: readonly (() => void)[],
): EngagementRefusedError | undefined {
  const checks = [...ENGAGEMENT_CHECKS, ...hostChecks];
  for (const [index, check] of checks.entries()) {
    const refused = refusalOf(() => check(request, engagement, bundle));
    if (refused === undefined) continue;
    // An engagement for other hosts or accounts is not the one that was meant, however far it gets otherwise.
    const fits = [checkHost, checkAccount].filter(
      (fit) => refusalOf(() => fit(request, engagement, bundle)) === undefined,
    );
    return new EngagementRefusedError(refused, engagement, fits.length * checks.length + index);
  }
  return undefined;
}

function checkRevocation(
  request: LoginRequest,
  member: Member,
  engagement: Engagement,
  revocations: RevocationLookup,
): void {
  const entry = revocations.find({
    certificateSerial: request.identity.certificateSerial,
    keyFingerprint: request.identity.keyFingerprint,
    memberId: member.id,
    engagementId: engagement.id,
    issuer: request.identity.token.issuer,
    subject: request.identity.token.subject,
    vendors: [member.vendor, engagement.vendor],
    signedInAt: request.identity.token.issuedAt,
  });
  if (entry !== undefined) {
    throw new RefusedError(
      "revoked",
      `${entry.level} ${entry.target} was revoked by ${entry.by}: ${entry.reason}`,
      {
        told: tell.revoked(entry, engagement),
      },
    );
  }
}

/** Nobody knows whether the person is still theirs: an IdP that is silent for too long lets nobody in. */
function checkIdpAsked(request: LoginRequest, engagement: Engagement, bundle: Bundle): void {
  const { issuer } = request.identity.token;
  const silent = bundle.silentIssuers.find((one) => one.issuer === issuer);
  if (silent === undefined || request.now < silent.since + engagement.idpGrace) return;
  throw new RefusedError("idp-silent", `${issuer} has not answered since ${silent.since}`, {
    told: tell.idpSilent(engagement, silent.since),
  });
}

function checkLease(request: LoginRequest, host: HostCondition): void {
  if (request.now >= host.leaseUntil) {
    throw new RefusedError(
      "lease-expired",
      `the lease ended ${Math.round(request.now - host.leaseUntil)} s ago`,
      {
        told: tell.leaseExpired(),
      },
    );
  }
}

function checkRecorder(host: HostCondition): void {
  if (!host.recorderReady) {
    throw new RefusedError("recorder-unavailable", "no recorder is ready", {
      told: tell.recorderUnavailable(),
    });
  }
  if (!host.spoolReserveFree) {
    throw new RefusedError("spool-full", "the reserve for running sessions is not free", {
      told: tell.spoolFull(),
    });
  }
}

function checkAccountSafety(request: LoginRequest, engagement: Engagement, host: HostCondition): void {
  const unsafe = host.accountUnsafe(request.account);
  if (unsafe === null || (unsafe.acceptable && engagement.acceptUnsafeShell)) return;
  throw new RefusedError("account-unsafe", unsafe.reason, { told: tell.accountUnsafe(request.account) });
}

function checkConcurrent(member: Member, engagement: Engagement, host: HostCondition): void {
  const { concurrent } = engagement.limits;
  const running = concurrent === null ? 0 : host.sessionsOf(member.id);
  if (concurrent === null || running < concurrent) return;
  throw new RefusedError("too-many-sessions", `${running} sessions, allowed ${concurrent}`, {
    told: tell.tooManySessions(engagement, running),
  });
}
