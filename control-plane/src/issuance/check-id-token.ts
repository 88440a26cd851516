import { createHash } from "node:crypto";
import { type Assurance, assuranceOf } from "@sallyport/core/admission/assurance.ts";
import { type VerifiedIdToken, verifyIdToken } from "@sallyport/core/admission/id-token.ts";
import type { Binding } from "@sallyport/core/binding.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import { type RefusalCode, RefusedError } from "@sallyport/core/policy/refusal.ts";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { isTokenUsed, useToken } from "../database/one-time-values.ts";
import type { Database } from "../database/tables.ts";
import { type Clock, seconds } from "../environment.ts";
import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";
import type { IssuerKeys } from "../issuers/issuer-keys.ts";
import { trustedIssuer } from "../issuers/trusted-issuer.ts";
import { vouchedEmail } from "../issuers/vouched-email.ts";
import { BROKERED_TOKEN_AGE } from "./brokered.ts";

/** What an ID token is checked against. */
export interface TokenNeeds {
  clock: Clock;
  issuers: readonly IssuerConfiguration[];
  issuerKeys: Pick<IssuerKeys, "ready" | "known">;
}

/** Sentences for the person who is signing in; the code stands in front of each. */
const ADVICE: Partial<Record<RefusalCode, string>> = {
  "token-expired": "The ID token has expired. Check that this computer's clock is right, then sign in again.",
  "token-not-yet-valid":
    "The ID token begins in the future. Check that the clocks of this computer and of the IdP are right, then sign in again.",
  "token-issuer": "This control plane does not accept sign-ins of that IdP.",
  "token-tenant":
    "The ID token is of another organisation than this control plane accepts from that IdP. Sign in with your account there.",
  "token-audience": "The ID token was made for another application than Sallyport's command line.",
};

/** Verifies an ID token with its IdP's own keys. Code `token-invalid`, the refusal's code leading the message. */
export async function checkIdToken(needs: TokenNeeds, idToken: string): Promise<VerifiedIdToken> {
  const known = await keysReady(needs, idToken);
  const now = seconds(needs.clock);
  const token = await verifyIdToken(idToken, {
    issuers: needs.issuers.map(trustedIssuer),
    keys: (known) => needs.issuerKeys.known(known),
    now,
  }).catch((error: unknown) => {
    throw error instanceof RefusedError ? refused(error.refusal.code, error.refusal.detail, error) : error;
  });
  // A host allows for a little clock skew; a certificate that is over already would only puzzle.
  if (token.expiresAt <= now) throw refused("token-expired", "it is over");
  return known === undefined ? token : { ...token, ...vouchedEmail(known, decodeJwt(idToken)) };
}

/** Makes sure that the key which a token names is known if it exists. Code `issuer-unreachable`. */
export async function keysReady(
  needs: Pick<TokenNeeds, "issuers" | "issuerKeys">,
  idToken: string,
): Promise<IssuerConfiguration | undefined> {
  const { issuer, kid } = claimedOrigin(idToken);
  const known = needs.issuers.find((one) => one.issuer === issuer || one.aliases.includes(issuer ?? ""));
  if (known !== undefined) await needs.issuerKeys.ready(known.issuer, kid);
  return known;
}

/**
 * Checks that the sign-in was made for this very key: the token's nonce is the hash of the binding. One without any nonce
 * is `brokered`, and has to be fresh. Code `token-invalid`.
 */
export function checkBinding(token: VerifiedIdToken, binding: Binding, now: number): Assurance {
  const assurance = boundBy(token, binding);
  const age = now - token.issuedAt;
  if (assurance === "brokered" && age > BROKERED_TOKEN_AGE)
    throw refused("token-too-old", `the device sign-in was ${Math.round(age / 60)} min ago`);
  return assurance;
}

function boundBy(token: VerifiedIdToken, binding: Binding): Assurance {
  try {
    return assuranceOf(token, binding);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    throw refused("nonce-mismatch", "The sign-in was made for another SSH key than the one that asks", error);
  }
}

/** Lets an ID token pass once. Code `token-invalid`. */
export async function acceptOnce(
  db: Database,
  clock: Clock,
  idToken: string,
  token: VerifiedIdToken,
): Promise<void> {
  if (!(await useUp(db, clock, idToken, token))) throw replayed();
}

/** Makes sure that {@link acceptOnce} refuses an ID token from now on; false where it would have before. */
export function useUp(
  db: Database,
  clock: Clock,
  idToken: string,
  token: Pick<VerifiedIdToken, "expiresAt">,
): Promise<boolean> {
  return useToken(db, hashOf(idToken), Math.ceil(token.expiresAt) + 600, seconds(clock));
}

/** Refuses an ID token that {@link acceptOnce} would refuse now; it may still pass. Code `token-invalid`. */
export async function requireUnused(db: Database, idToken: string): Promise<void> {
  if (await isTokenUsed(db, hashOf(idToken))) throw replayed();
}

/** The hash of what is signed: another encoding of the same signature must not make it a new token. */
function hashOf(idToken: string): string {
  const signed = idToken.slice(0, idToken.lastIndexOf("."));
  return createHash("sha256").update(signed).digest("base64url");
}

function replayed(): SallyportError {
  return new SallyportError("token-invalid", "token-replayed: This ID token was used before. Sign in again.");
}

/** Issuer and key id that a token claims, unverified: only good for fetching keys. */
export function claimedOrigin(idToken: string): { issuer: string | undefined; kid: string | undefined } {
  try {
    return { issuer: decodeJwt(idToken).iss, kid: decodeProtectedHeader(idToken).kid };
  } catch {
    return { issuer: undefined, kid: undefined };
  }
}

/** The error for a refused token; the code stands in front of a sentence that says what to do. */
export function refused(code: RefusalCode, detail: string, cause?: unknown): SallyportError {
  const sentence = ADVICE[code] ?? `${detail.charAt(0).toUpperCase()}${detail.slice(1)}. Sign in again.`;
  return new SallyportError("token-invalid", `${code}: ${sentence}`, { cause });
}
