import { BlockList, isIPv6 } from "node:net";
import { mfaSuffices } from "../admission/mfa.ts";
import type { Bundle } from "./bundle.ts";
import type { Engagement, Member } from "./engagement.ts";
import type { LoginRequest } from "./evaluate.ts";
import { withinHours } from "./hours.ts";
import { RefusedError } from "./refusal.ts";
import { tell } from "./told.ts";

/*
 * The checks of one engagement, in the order in which `evaluate.ts` runs them. Each returns when it holds and throws a
 * RefusedError with its own code when not.
 */

/** What those checks look at that a running session has as well; `continue.ts` asks them again. */
export interface Moment extends Pick<LoginRequest, "account" | "now"> {
  /** Whose login or session it is. */
  memberId: string;
}

/** One login, after it is known whose. */
export type EngagementRequest = LoginRequest & Moment;

/** Who of this host's members is this? Identity is (issuer, subject), nothing else. */
export function checkMembership(request: LoginRequest, bundle: Bundle): Member {
  const { issuer, subject } = request.identity.token;
  const member = bundle.members.find((one) =>
    one.identities.some((identity) => identity.issuer === issuer && identity.subject === subject),
  );
  if (member === undefined) {
    throw new RefusedError("not-a-member", `${issuer} ${subject} is no member here`, {
      told: tell.notAMember(bundle),
    });
  }
  return member;
}

/** Whether the ID token has to commit to the SSH key. */
export function checkAssurance(request: EngagementRequest, engagement: Engagement): void {
  const { assurance } = request.identity;
  if (assurance === "bound" || engagement.assurance === "brokered") return;
  throw new RefusedError("assurance-too-low", `the sign-in is ${assurance}, needed ${engagement.assurance}`, {
    told: tell.assuranceTooLow(engagement),
  });
}

/** MFA level and its age; `auth_time` is checked by us, whatever `max_age` the IdP was sent. */
export function checkMfa(request: EngagementRequest, engagement: Engagement): void {
  const { mfa, authTime } = request.identity.token;
  if (!mfaSuffices(mfa, engagement.mfa.level)) {
    throw new RefusedError("mfa-required", `level ${mfa}, needed ${engagement.mfa.level}`, {
      told: tell.mfaRequired(engagement, mfa),
    });
  }
  const { maxAge } = engagement.mfa;
  if (maxAge !== null && (authTime === null || request.now - authTime > maxAge)) {
    const age = authTime === null ? "no auth_time" : `signed in ${Math.round(request.now - authTime)} s ago`;
    throw new RefusedError("mfa-too-old", `${age}, allowed ${maxAge} s`, {
      told: tell.mfaTooOld(engagement),
    });
  }
}

/** Start and end, and an end before its time. */
export function checkWindow(request: Moment, engagement: Engagement): void {
  if (engagement.ended !== null && request.now >= engagement.ended.at) {
    throw new RefusedError(
      "engagement-ended",
      `ended early by ${engagement.ended.by}: ${engagement.ended.reason}`,
      {
        told: tell.engagementEnded(engagement),
      },
    );
  }
  if (request.now >= engagement.end) {
    throw new RefusedError("engagement-ended", `ended at ${engagement.end}`, {
      told: tell.engagementEnded(engagement),
    });
  }
  if (request.now < engagement.start) {
    throw new RefusedError("engagement-not-started", `starts at ${engagement.start}`, {
      told: tell.engagementNotStarted(engagement),
    });
  }
}

/** Weekly hours in the engagement's time zone. */
export function checkHours(request: Moment, engagement: Engagement): void {
  if (engagement.hours !== null && !withinHours(engagement.hours, request.now)) {
    throw new RefusedError("outside-hours", `outside the weekly hours (${engagement.hours.timeZone})`, {
      told: tell.outsideHours(engagement),
    });
  }
}

/** Source networks. An address that could not be read fits none. */
export function checkSource(request: EngagementRequest, engagement: Engagement): void {
  if (engagement.sources.length === 0) return;
  if (request.sourceAddress === null || !inNetworks(request.sourceAddress, engagement.sources)) {
    throw new RefusedError("source-address", `from ${request.sourceAddress ?? "an unknown address"}`, {
      told: tell.sourceAddress(engagement, request.sourceAddress),
    });
  }
}

/** The host's own name and labels, as its bundle states them. */
export function checkHost(_request: Moment, engagement: Engagement, bundle: Bundle): void {
  const { names, labels } = engagement.hosts;
  const wanted = Object.entries(labels);
  const byLabels =
    wanted.length > 0 &&
    wanted.every(
      ([name, value]) =>
        Object.hasOwn(bundle.host.labels, name) && bundle.host.labels[name as never] === value,
    );
  if (!names.includes(bundle.host.name) && !byLabels) {
    throw new RefusedError("host-not-granted", `${bundle.host.name} is not a host of it`, {
      told: tell.hostNotGranted(engagement, bundle.host.name),
    });
  }
}

/** A shared account of the engagement, or the member's own where it gives personal ones. */
export function checkAccount(request: Moment, engagement: Engagement, bundle: Bundle): void {
  if (!accountsOf(engagement, request.memberId, bundle).some((account) => account === request.account)) {
    throw new RefusedError("account-not-granted", `account ${request.account} is not one of it`, {
      told: tell.accountNotGranted(
        engagement,
        request.account,
        accountsOf(engagement, request.memberId, bundle),
      ),
    });
  }
}

/** Somebody has said yes: once for the engagement (rule `activation`), or for this member until a time (`login`). */
export function checkApproval(request: Moment, engagement: Engagement): void {
  const { approval } = engagement;
  if (approval.rule === "none" || (approval.rule === "activation" && approval.approved)) return;
  const mine =
    approval.rule === "login" ? approval.granted.filter(({ member }) => member === request.memberId) : [];
  if (mine.some(({ until }) => until > request.now)) return;
  const detail = mine.length > 0 ? "not approved any more: the approval is over" : "not approved";
  throw new RefusedError("approval-missing", detail, { told: tell.approvalMissing(engagement) });
}

/**
 * The approval that a session began with still stands. One that has only run out does: it is for logging in, and hosts know
 * of it as long as such a session can last. One that was withdrawn is gone from the bundle, and the session with it.
 */
export function checkApprovalStands(request: Moment, engagement: Engagement): void {
  const { rule, approved, granted } = engagement.approval;
  if (rule === "none" || (rule === "activation" && approved)) return;
  if (rule === "login" && granted.some(({ member }) => member === request.memberId)) return;
  throw new RefusedError("approval-missing", "the approval was withdrawn", {
    told: tell.approvalWithdrawn(engagement),
  });
}

/** The accounts that an engagement opens to one member: the shared ones, and the member's own. */
export function accountsOf(
  engagement: Engagement,
  memberId: string,
  bundle: Pick<Bundle, "members">,
): string[] {
  const own = bundle.members.find((member) => member.id === memberId)?.account ?? null;
  return engagement.personal === null || own === null ? engagement.accounts : [own, ...engagement.accounts];
}

const MAPPED_BITS = 96;
const MAPPED = new BlockList();
MAPPED.addSubnet("::ffff:0:0", MAPPED_BITS, "ipv6");

function inNetworks(address: string, networks: readonly string[]): boolean {
  const family = isIPv6(address) ? "ipv6" : "ipv4";
  // A dual-stack sshd sees IPv4 peers as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), which BlockList takes for IPv4 by itself. It
  // also takes IPv4 to be inside ::/0 and the like, and there it is not meant.
  const isIPv4 = family === "ipv4" || MAPPED.check(address, family);
  const list = new BlockList();
  for (const network of networks) {
    const [base = "", length] = network.split("/");
    const ofIPv6 = isIPv6(base);
    const bits = Number(length ?? (ofIPv6 ? 128 : 32));
    if (!(isIPv4 && ofIPv6 && bits < MAPPED_BITS)) list.addSubnet(base, bits, ofIPv6 ? "ipv6" : "ipv4");
  }
  return list.check(address, family);
}
