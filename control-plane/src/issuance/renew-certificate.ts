import type { VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { RenewalRequest, RenewalResponse } from "@sallyport/core/messages/client-api.ts";
import type { Engagement, Member } from "@sallyport/core/policy/engagement.ts";
import { minuteOf } from "@sallyport/core/policy/told.ts";
import { fingerprint, type SshPublicKey } from "@sallyport/core/ssh/public-key.ts";
import { audit } from "../audit/audit.ts";
import { isByActiveCheck } from "../checks/revoke-grant.ts";
import { listEngagements } from "../database/engagements.ts";
import { memberByIdentity } from "../database/members.ts";
import { inTransaction } from "../database/open-database.ts";
import { findRevocation } from "../database/revocations.ts";
import type { Database } from "../database/tables.ts";
import { seconds } from "../environment.ts";
import { describeMe } from "../people/describe-me.ts";
import { engagementState } from "../policy/host-selection.ts";
import { consumeChallenge, requireChallenge } from "./challenge.ts";
import { acceptOnce, useUp } from "./check-id-token.ts";
import { checkRenewalProof } from "./check-proof.ts";
import { type CheckedRenewal, checkRenewal } from "./check-renewal.ts";
import { type FreshTokens, freshTokenOf } from "./fresh-token.ts";
import { hintKeys, type IssuanceNeeds, noteRefusal } from "./issue-certificate.ts";
import { contactOf, refuseRevoked } from "./refuse-revoked.ts";
import {
  type SignedUserCertificate,
  signUserCertificate,
  storeUserCertificate,
} from "./sign-user-certificate.ts";

/** What renewing needs. */
export interface RenewalNeeds extends IssuanceNeeds {
  checks: FreshTokens;
}

/**
 * `POST /certificates/renew`: another certificate for the key of a sign-in, while the IdP vouches for the person. Codes as for
 * `POST /certificates`, `no-longer-vouched` when the IdP, asked from here, does not, and `conflict` when no engagement of theirs
 * runs. The challenge is used up in any case, the fresh ID token only by success. `from` is the client's address, for the audit
 * log.
 */
export async function renewCertificate(
  needs: RenewalNeeds,
  asked: RenewalRequest,
  from: string,
): Promise<RenewalResponse> {
  let token: VerifiedIdToken | undefined;
  try {
    const { environment, config } = needs;
    const clock = environment.clock;
    await requireChallenge(needs, asked.challenge);
    const key = checkRenewalProof(asked);
    const tokens = { ...needs, clock, issuers: config.issuers };
    const checked = await checkRenewal(tokens, asked, async (issuer, signIn) => {
      token = signIn;
      await requireVouched(needs.db, key);
      await requireAccess(needs.db, signIn, key);
      return freshTokenOf(needs.checks, issuer, key, asked);
    });
    token = checked.signIn;
    const { freshToken } = checked;
    const request = { ...asked, freshIdToken: freshToken.idToken };
    const certificate = await sign(needs, { request, key, ...checked });
    const response = await inTransaction(needs.db, async (db) => {
      await consumeChallenge({ db, environment }, request.challenge);
      if (freshToken.from === "client") await acceptOnce(db, clock, freshToken.idToken, checked.fresh);
      // It stands in the certificate, for its holder to read: nobody signs in with it.
      else await useUp(db, clock, freshToken.idToken, checked.fresh);
      return renew({ ...needs, db }, { request, key, from, certificate, ...checked });
    });
    hintKeys(needs, request.freshIdToken);
    return response;
  } catch (error) {
    await noteRefusal(needs, { error, token, from, challenge: asked.challenge });
    throw error;
  }
}

/** What the IdP has said of this very sign-in, it is not asked again. Code `no-longer-vouched`. */
async function requireVouched(db: Database, key: SshPublicKey): Promise<void> {
  const revocation = await findRevocation(db, "key", fingerprint(key.blob));
  if (revocation !== undefined && isByActiveCheck(revocation))
    throw new SallyportError("no-longer-vouched", `${revocation.reason}. Sign in again: sallyport login`);
}

/** Whose sign-in it is, and their engagements, where nothing of it is revoked. Codes `not-invited`, `forbidden`, `token-invalid`. */
async function requireAccess(
  db: Database,
  signIn: VerifiedIdToken,
  key: SshPublicKey,
): Promise<{ member: Member; engagements: readonly Engagement[] }> {
  const member = await requireMember(db, signIn);
  const engagements = await listEngagements(db, member.id);
  await refuseRevoked(db, { member, token: signIn, key, engagements });
  return { member, engagements };
}

interface Renewal extends CheckedRenewal {
  request: RenewalRequest & { freshIdToken: string };
  key: SshPublicKey;
  from: string;
  /** Nobody's before it is stored. */
  certificate: SignedUserCertificate;
}

/** Not inside the transaction, see {@link signUserCertificate}; what may have changed since is asked again in there. */
async function sign(
  { db, environment, config, keys }: IssuanceNeeds,
  { request, key, signIn, fresh, until }: Omit<Renewal, "from" | "certificate">,
): Promise<SignedUserCertificate> {
  const { issuer, subject } = signIn;
  const { member, engagements } = await requireAccess(db, signIn, key);
  requireRunning(engagements, seconds(environment.clock));
  return signUserCertificate(
    { environment, userCa: keys.userCa, certificateLifetime: config.certificateLifetime },
    {
      ...{ request, key, member, engagements },
      token: { issuer, subject, expiresAt: Math.min(fresh.expiresAt, until) },
    },
  );
}

async function renew(needs: IssuanceNeeds, renewal: Renewal): Promise<RenewalResponse> {
  const { db, environment } = needs;
  const { key, signIn, until, from, certificate } = renewal;
  const { issuer, subject, mfa } = signIn;
  const now = seconds(environment.clock);
  const { member, engagements } = await requireAccess(db, signIn, key);
  requireRunning(engagements, now);
  await storeUserCertificate(needs, { key, token: signIn, member }, certificate);
  const { serial, validBefore } = certificate;
  const data = { issuer, subject, from, mfa, serial, validBefore, key: fingerprint(key.blob) };
  await audit(db, environment, { type: "certificate-renewed", actor: member.id, data });
  const person = {
    issuer,
    subject,
    name: signIn.name ?? signIn.email ?? subject,
    mfa,
    member,
    staffRoles: [],
  };
  const me = await describeMe(db, now, person, engagements);
  return { v: 1, certificate: { ...certificate, assurance: "bound" }, renewableUntil: until, me };
}

/** Only whom a sign-in has pinned: an invitation is never used here. */
async function requireMember(db: Database, { issuer, subject }: VerifiedIdToken): Promise<Member> {
  const member = await memberByIdentity(db, issuer, subject);
  if (member !== undefined) return member;
  throw new SallyportError("not-invited", "You are no contractor here. Sign in again.");
}

/** Hosts refuse everything else; saying it here spares the contractor the way there. */
function requireRunning(engagements: readonly Engagement[], now: number): void {
  if (engagements.some((engagement) => engagementState(engagement, now) === "running")) return;
  const [last] = engagements.toSorted((one, other) => endOf(other) - endOf(one));
  const what =
    last === undefined
      ? "You are in no engagement"
      : endOf(last) <= now
        ? `Engagement ${last.name} ended ${minuteOf(endOf(last))}`
        : `Engagement ${last.name} starts ${minuteOf(last.start)}`;
  throw new SallyportError(
    "conflict",
    `${what}, and no other of yours is running. Ask ${contactOf(engagements)}.`,
  );
}

function endOf({ end, ended }: Engagement): number {
  return ended?.at ?? end;
}
