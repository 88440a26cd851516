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

/** A renewal whose two tokens hold. */
export interface CheckedRenewal {
  /** Who it is: the sign-in's claims, with the lower MFA level of both tokens. */
  signIn: VerifiedIdToken;
  fresh: VerifiedIdToken;
  /** Until when this sign-in may be renewed, in seconds since the epoch. */
  until: number;
}

/**
 * Checks the two ID tokens of a renewal as a host does, and that this issuer's sign-ins are renewed at all. Codes
 * `token-invalid` (the refusal's code leads the message), `issuer-unreachable`.
 */
export async function checkRenewal(
  needs: TokenNeeds,
  request: RenewalRequest & { freshIdToken: string },
): Promise<CheckedRenewal> {
  await keysReady(needs, request.idToken);
  await keysReady(needs, request.freshIdToken);
  const now = seconds(needs.clock);
  const context: IdTokenContext = {
    issuers: needs.issuers.map(trustedIssuer),
    keys: (issuer) => needs.issuerKeys.known(issuer),
    now,
  };
  const { signIn, fresh } = await refusing(async () => {
    const original = await verifySignInToken(request.idToken, context);
    checkBound(original, request.binding);
    return verifyFreshToken(original, request.freshIdToken, context);
  });
  // A host allows for a little clock skew; a certificate that is over already would only puzzle.
  if (fresh.expiresAt <= now) throw refused("token-expired", "it is over");
  const issuer = needs.issuers.find((one) => one.issuer === signIn.issuer);
  const until = issuer && renewableUntil(issuer, signIn);
  if (until == null)
    throw new SallyportError("token-invalid", "Sign-ins of this IdP are not renewed here. Sign in again.");
  if (until <= now) throw refused("sign-in-too-old", "your sign-in was too long ago to go on without you");
  return { signIn, fresh, until };
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
