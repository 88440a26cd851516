import type { VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import type { IssuerConfiguration } from "./issuer-configuration.ts";

const MAX_EMAIL = 320;

/**
 * The e-mail of a token whose signature is verified, and whether this IdP vouches for it: an invitation goes by that once.
 * At Entra ID people of any tenant could have anybody's address as their `email`; there `xms_edov` says that the tenant
 * owns the address's domain.
 */
export function vouchedEmail(
  issuer: Pick<IssuerConfiguration, "emailClaim" | "emailVerifiedClaim" | "trustEmail">,
  claims: Record<string, unknown>,
): Pick<VerifiedIdToken, "email" | "emailVerified"> {
  const email = Object.hasOwn(claims, issuer.emailClaim) ? claims[issuer.emailClaim] : undefined;
  if (typeof email !== "string" || email === "" || email.length > MAX_EMAIL)
    return { email: null, emailVerified: false };
  const proof = Object.hasOwn(claims, issuer.emailVerifiedClaim)
    ? claims[issuer.emailVerifiedClaim]
    : undefined;
  // Entra writes its optional claim as true, "true", 1 or "1", by the kind of application.
  const isProven = [true, "true", ...(issuer.emailVerifiedClaim === "xms_edov" ? [1, "1"] : [])].includes(
    proof as string,
  );
  return { email, emailVerified: issuer.trustEmail || isProven };
}
