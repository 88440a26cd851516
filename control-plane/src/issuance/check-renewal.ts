import { assuranceOf } from "@sallyport/core/admission/assurance.ts";
import type { AddressedToken, IdTokenContext, VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import { verifyFreshToken, verifySignInToken } from "@sallyport/core/admission/renewal.ts";
import type { Binding } from "@sallyport/core/binding.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { RenewalRequest } from "@sallyport/core/messages/client-api.ts";
import { RefusedError } from "@sallyport/core/policy/refusal.ts";
import { seconds } from "../environment.ts";
import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";
import { trustedIssuer } from "../issuers/trusted-issuer.ts";
import { keysReady, refused, type TokenNeeds } from "./check-id-token.ts";
import type { FreshToken } from "./fresh-token.ts";

/** A renewal whose two tokens hold. */
export interface CheckedRenewal {
  freshToken: FreshToken;
  /** Who it is: the sign-in's claims, with the lower MFA level of both tokens. */
  signIn: VerifiedIdToken;
  fresh: VerifiedIdToken;
  /** Until when this sign-in may be renewed, in seconds since the epoch. */
  until: number;
}

/**
 * Checks the two ID tokens of a renewal as a host does, and that this issuer's sign-ins are renewed at all. The fresh one is got
 * by `freshToken` once the sign-in holds: an IdP is not asked about somebody else's. Codes `token-invalid` (the refusal's code
 * leads the message), `issuer-unreachable`, and those of `freshToken`.
 */
export async function checkRenewal(
  needs: TokenNeeds,
  request: Pick<RenewalRequest, "idToken" | "binding">,
  freshToken: (issuer: IssuerConfiguration, signIn: VerifiedIdToken) => Promise<FreshToken>,
): Promise<CheckedRenewal> {
  await keysReady(needs, request.idToken);
  const original = await refusing(async () => {
    const original = await verifySignInToken(request.idToken, contextOf(needs));
    checkBound(original, request.binding);
    return original;
  });
  const issuer = needs.issuers.find((one) => one.issuer === original.token.issuer);
  const until = issuer && renewableUntil(issuer, original.token);
  if (issuer === undefined || until == null)
    throw new SallyportError("token-invalid", "Sign-ins of this IdP are not renewed here. Sign in again.");
  if (until <= seconds(needs.clock))
    throw refused("sign-in-too-old", "your sign-in was too long ago to go on without you");
  const got = await freshToken(issuer, original.token);
  await keysReady(needs, got.idToken);
  const { signIn, fresh } = await refusing(() => verifyFreshToken(original, got.idToken, contextOf(needs)));
  // A host allows for a little clock skew; a certificate that is over already would only puzzle.
  if (fresh.expiresAt <= seconds(needs.clock)) throw refused("token-expired", "it is over");
  return { freshToken: got, signIn, fresh, until };
}

function contextOf({ issuers, issuerKeys, clock }: TokenNeeds): IdTokenContext {
  return {
    issuers: issuers.map(trustedIssuer),
    keys: (issuer) => issuerKeys.known(issuer),
    now: seconds(clock),
  };
}

/**
 * Until when, in seconds since the epoch, certificates of a sign-in are renewed: counted from when the person proved who
 * they are, as far as the IdP tells. Null where they are not.
 */
export function renewableUntil(
  issuer: Pick<IssuerConfiguration, "renewal" | "signInLifetime">,
  { issuedAt, authTime, nonce }: Pick<VerifiedIdToken, "issuedAt" | "authTime" | "nonce">,
): number | null {
  if (!issuer.renewal || nonce === null) return null;
  return Math.floor(Math.min(issuedAt, authTime ?? issuedAt)) + issuer.signInLifetime;
}

function checkBound({ token }: AddressedToken, binding: Binding): void {
  if (assuranceOf(token, binding) !== "bound")
    throw new RefusedError("nonce-mismatch", "the sign-in's ID token commits to no SSH key");
}

async function refusing<T>(check: () => Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (error) {
    throw error instanceof RefusedError ? refused(error.refusal.code, error.refusal.detail, error) : error;
  }
}
