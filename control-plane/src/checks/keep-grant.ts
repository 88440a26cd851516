import type { AddressedToken, VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import { MfaLevel } from "@sallyport/core/policy/engagement.ts";
import { decodeJwt } from "jose";
import { z } from "zod";
import type { Database } from "../database/tables.ts";
import type { Environment } from "../environment.ts";
import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";
import type { GrantSealing } from "../keys/grant-sealing.ts";

/**
 * Until the first question, in milliseconds: an ID token is good for an hour or more, and whoever brings one late may have been disabled
 * since, or hand over a refresh token that is worth nothing.
 */
const FIRST_CHECK_MS = 5000;

/** What keeping a grant takes. */
export interface KeepGrantNeeds {
  environment: Pick<Environment, "clock">;
  sealing: GrantSealing;
  config: { issuers: readonly IssuerConfiguration[] };
}

/** A sign-in whose refresh token the client has handed over. */
export interface HandedOverGrant {
  keyFingerprint: string;
  memberId: string;
  /** The sign-in's ID token, and what was verified of it. */
  idToken: string;
  token: VerifiedIdToken;
  refreshToken: string;
  /** Until when it is renewed, in seconds since the epoch; where it is not, the certificate's end. */
  until: number;
}

/** What a fresh ID token has to match, see `verifyFreshToken`. */
const SignInFacts = z.object({
  audiences: z.array(z.string()),
  authorizedParty: z.string().nullable(),
  nonce: z.string().nullable(),
  issuedAt: z.number(),
  authTime: z.number().nullable(),
  mfa: MfaLevel,
});

/** True when the control plane keeps the refresh tokens of this issuer's sign-ins, and asks with them. */
export function keepsGrants({ check }: Pick<IssuerConfiguration, "check">): boolean {
  return check.by !== "none";
}

/**
 * Keeps the refresh token of a sign-in, sealed, to ask the IdP with: in the transaction that issues the certificate. From then on
 * nobody else may use it. Another one of the same person for the same key takes its place, and the next question comes no later for it.
 * Nothing where the issuer is not asked (`check.by: none`). Code `forbidden` for a key that somebody else has signed in with: two
 * accounts of one person, say, of which only the last would be asked about.
 */
export async function keepGrant(
  db: Database,
  { environment, sealing, config }: KeepGrantNeeds,
  { keyFingerprint, memberId, idToken, token, refreshToken, until }: HandedOverGrant,
): Promise<void> {
  const { issuer, subject } = token;
  const asked = config.issuers.find((one) => one.issuer === issuer);
  if (asked === undefined || !keepsGrants(asked)) return;
  const now = environment.clock();
  const grant = {
    ...{ issuer, subject, member_id: memberId },
    token_sealed: sealing.seal(refreshToken, grantOwner(issuer, keyFingerprint)),
    sealed_with: sealing.kid,
    sign_in_json: JSON.stringify(factsOf(idToken, token)),
    signed_in_at: Math.floor(token.issuedAt),
    renewable_until: until,
    last_answer_at_ms: now,
    failing_since_ms: null,
    next_check_at_ms: now + FIRST_CHECK_MS,
    ...{ hinted_at_ms: 0, claimed_by: null, claimed_until_ms: 0, in_doubt: 0, lost_at_ms: null },
    ...{ fresh_sealed: null, fresh_at_ms: 0 },
  };
  const { numInsertedOrUpdatedRows: kept } = await db
    .insertInto("sign_in_grants")
    .values({ key_fingerprint: keyFingerprint, ...grant })
    .onConflict((conflict) =>
      conflict
        .column("key_fingerprint")
        .doUpdateSet(({ eb, ref }) => {
          const due = ref("sign_in_grants.next_check_at_ms");
          const next = eb.case().when(due, "<", grant.next_check_at_ms).then(due);
          return { ...grant, next_check_at_ms: next.else(grant.next_check_at_ms).end() };
        })
        .where("sign_in_grants.issuer", "=", issuer)
        .where("sign_in_grants.subject", "=", subject),
    )
    .executeTakeFirstOrThrow();
  if (kept === 0n)
    throw new SallyportError(
      "forbidden",
      "Somebody else has signed in with this SSH key. Sign in with another one: sallyport login makes it.",
    );
}

/** What a sealed secret of a grant belongs to. */
export function grantOwner(issuer: string, keyFingerprint: string, what = "refresh token"): string[] {
  return [what, issuer, keyFingerprint];
}

function factsOf(idToken: string, token: VerifiedIdToken): z.infer<typeof SignInFacts> {
  const { aud = [], azp } = decodeJwt(idToken);
  const { nonce, issuedAt, authTime, mfa } = token;
  const audiences = Array.isArray(aud) ? aud : [aud];
  return { audiences, authorizedParty: typeof azp === "string" ? azp : null, nonce, issuedAt, authTime, mfa };
}

/** The sign-in's token as far as a fresh one is compared with it. */
export function signInOf(grant: { issuer: string; subject: string; sign_in_json: string }): AddressedToken {
  const { audiences, authorizedParty, ...facts } = SignInFacts.parse(JSON.parse(grant.sign_in_json));
  const { issuer, subject } = grant;
  const unknown = { acr: null, amr: [], acrs: [], email: null, emailVerified: false, name: null };
  const token = { ...facts, ...unknown, issuer, subject, expiresAt: 0, lists: new Map(), elsewhere: [] };
  return { token, audiences, authorizedParty };
}
