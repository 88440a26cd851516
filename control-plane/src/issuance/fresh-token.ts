import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import type { RenewalRequest } from "@sallyport/core/messages/client-api.ts";
import { fingerprint, type SshPublicKey } from "@sallyport/core/ssh/public-key.ts";
import { keepsGrants } from "../checks/keep-grant.ts";
import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";

/** What gets fresh ID tokens where refresh tokens are kept here. */
export interface FreshTokens {
  /**
   * A fresh ID token for the sign-in with this key; for two who ask within some seconds the same one. Codes `not-found` where
   * nothing is kept for the key, `issuer-unreachable`, `no-longer-vouched`.
   */
  freshIdToken(keyFingerprint: string): Promise<string>;
}

/** A fresh ID token, not verified yet. */
export interface FreshToken {
  idToken: string;
  /** `control-plane`: straight from the IdP, so that it is no replay when two renewals get the same one. */
  from: "client" | "control-plane";
}

/**
 * The fresh ID token of a renewal: the client's where it keeps the refresh token, else asked of the IdP with what is kept for this
 * key, which the client has proven to hold. Never the client's where refresh tokens are kept here: somebody who keeps theirs
 * for themselves could not be asked about. Codes as {@link FreshTokens}, and `token-invalid`.
 */
export async function freshTokenOf(
  checks: FreshTokens,
  issuer: Pick<IssuerConfiguration, "check">,
  key: SshPublicKey,
  { freshIdToken }: RenewalRequest,
): Promise<FreshToken> {
  if (!keepsGrants(issuer)) {
    if (freshIdToken !== undefined) return { idToken: freshIdToken, from: "client" };
    throw new SallyportError("token-invalid", "The renewal has no fresh ID token. Sign in again.");
  }
  if (freshIdToken !== undefined)
    throw new SallyportError(
      "token-invalid",
      "This control plane asks your identity provider itself, and your sallyport does not know that yet: update it and sign in again.",
    );
  try {
    return { idToken: await checks.freshIdToken(fingerprint(key.blob)), from: "control-plane" };
  } catch (error) {
    if (!isSallyportError(error, "not-found")) throw error;
    const sentence = "Nothing is kept here that this sign-in could be renewed with. Sign in again.";
    throw new SallyportError("token-invalid", sentence, { cause: error });
  }
}
