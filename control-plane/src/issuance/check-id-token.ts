import { createHash } from "node:crypto";
import { type VerifiedIdToken, verifyIdToken } from "@sallyport/core/admission/id-token.ts";
import { type Binding, bindingNonce } from "@sallyport/core/binding.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import { type RefusalCode, RefusedError } from "@sallyport/core/policy/refusal.ts";
import { decodeJwt, decodeProtectedHeader } from "jose";
import type { IssuerConfiguration } from "../config/configuration.ts";
import { useToken } from "../database/one-time-values.ts";
import type { Database } from "../database/tables.ts";
import { type Clock, seconds } from "../environment.ts";
import type { IssuerKeys } from "../issuers/issuer-keys.ts";
import { trustedIssuer } from "../issuers/trusted-issuer.ts";

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
  "token-audience": "The ID token was made for another application than Sallyport's command line.",
};

/** Verifies an ID token with its IdP's own keys. Code `token-invalid`, the refusal's code leading the message. */
export async function checkIdToken(needs: TokenNeeds, idToken: string): Promise<VerifiedIdToken> {
  const { issuer, kid } = claimedOrigin(idToken);
  if (issuer !== undefined) await needs.issuerKeys.ready(issuer, kid);
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
  return token;
}

/** Checks that the sign-in was made for this very key: the token's nonce is the hash of the binding. */
export function checkNonce(token: VerifiedIdToken, binding: Binding): void {
  if (token.nonce !== bindingNonce(binding)) {
    throw refused("nonce-mismatch", "The sign-in was made for another SSH key than the one that asks");
  }
}

/** Lets an ID token pass once. Code `token-invalid`. */
export async function acceptOnce(
  db: Database,
  clock: Clock,
  idToken: string,
  token: VerifiedIdToken,
): Promise<void> {
  // The hash of what is signed: another encoding of the same signature must not make it a new token.
  const signed = idToken.slice(0, idToken.lastIndexOf("."));
  const hash = createHash("sha256").update(signed).digest("base64url");
  const now = seconds(clock);
  if (await useToken(db, hash, Math.ceil(token.expiresAt) + 600, now)) return;
  throw new SallyportError("token-invalid", "token-replayed: This ID token was used before. Sign in again.");
}

/** Issuer and key id that a token claims, unverified: only good for fetching keys. */
export function claimedOrigin(idToken: string): { issuer: string | undefined; kid: string | undefined } {
  try {
    return { issuer: decodeJwt(idToken).iss, kid: decodeProtectedHeader(idToken).kid };
  } catch {
    return { issuer: undefined, kid: undefined };
  }
}

function refused(code: RefusalCode, detail: string, cause?: unknown): SallyportError {
  const sentence = ADVICE[code] ?? `${detail.charAt(0).toUpperCase()}${detail.slice(1)}. Sign in again.`;
  return new SallyportError("token-invalid", `${code}: ${sentence}`, { cause });
}
