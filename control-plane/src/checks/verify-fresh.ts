import type { VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import { verifyFreshToken } from "@sallyport/core/admission/renewal.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { RefusedError } from "@sallyport/core/policy/refusal.ts";
import { decodeJwt } from "jose";
import type { SignInGrant } from "../database/sign-in-grants.ts";
import { seconds } from "../environment.ts";
import { keysReady, type TokenNeeds } from "../issuance/check-id-token.ts";
import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";
import { trustedIssuer } from "../issuers/trusted-issuer.ts";
import { signInOf } from "./keep-grant.ts";

/** What an ID token out of a refresh is worth. */
export type FreshVerdict =
  | { kind: "good"; token: VerifiedIdToken }
  /** The IdP itself says that the refresh token is somebody else's. */
  | { kind: "other-person"; detail: string }
  /** It does not pass, for a reason that says nothing about the person. */
  | { kind: "unverified"; detail: string };

/** Verifies an ID token that a refresh brought against its sign-in, as hosts do. Never throws. */
export async function verifyFresh(
  needs: TokenNeeds,
  grant: SignInGrant,
  issuer: IssuerConfiguration,
  idToken: string | undefined,
): Promise<FreshVerdict> {
  // A refresh token of somebody else's could have been handed over: without an ID token it vouches for nobody.
  if (idToken === undefined)
    return {
      kind: "unverified",
      detail: "the refresh brings no ID token, so it does not say who it is about",
    };
  try {
    await keysReady(needs, idToken);
    const { fresh } = await verifyFreshToken(signInOf(grant), idToken, {
      issuers: [trustedIssuer(issuer)],
      keys: (known) => needs.issuerKeys.known(known),
      now: seconds(needs.clock),
    });
    return { kind: "good", token: fresh };
  } catch (error) {
    if (error instanceof RefusedError) {
      const { code, detail } = error.refusal;
      // Everything about the token itself was verified by then.
      const isOther =
        code === "renewal-mismatch" && decodeJwt(idToken)[issuer.subjectClaim] !== grant.subject;
      return { kind: isOther ? "other-person" : "unverified", detail: `${code}: ${detail}` };
    }
    if (isSallyportError(error)) return { kind: "unverified", detail: error.message };
    throw error;
  }
}
