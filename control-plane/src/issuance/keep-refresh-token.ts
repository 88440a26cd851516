import type { VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { CertificateRequest } from "@sallyport/core/messages/client-api.ts";
import type { Member } from "@sallyport/core/policy/engagement.ts";
import { fingerprint, type SshPublicKey } from "@sallyport/core/ssh/public-key.ts";
import { type KeepGrantNeeds, keepGrant, keepsGrants } from "../checks/keep-grant.ts";
import type { Database } from "../database/tables.ts";
import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";
import { renewableUntil } from "./check-renewal.ts";
import type { SignedUserCertificate } from "./sign-user-certificate.ts";

/**
 * Keeps the refresh token that came with a sign-in, in the transaction that issues its certificate, and returns until when that is
 * renewed, in seconds since the epoch; null where it is not. A token that nobody asked for is not looked at. Code `token-invalid`
 * where one is required and none came.
 */
export async function keepRefreshToken(
  db: Database,
  needs: KeepGrantNeeds,
  signIn: {
    request: CertificateRequest;
    key: SshPublicKey;
    token: VerifiedIdToken;
    member: Member;
    certificate: SignedUserCertificate;
  },
): Promise<number | null> {
  const { request, key, token, member, certificate } = signIn;
  const issuer = needs.config.issuers.find((one) => one.issuer === token.issuer);
  if (issuer === undefined) return null;
  const until = renewableUntil(issuer, token);
  if (!keepsGrants(issuer)) return until;
  const { refreshToken, idToken } = request;
  if (refreshToken === undefined && issuer.check.required) throw withheld();
  // Without it nothing is renewed: the IdP gave none, or the client keeps it for itself, where nobody would be asked about.
  if (refreshToken === undefined) return null;
  await keepGrant(db, needs, {
    keyFingerprint: fingerprint(key.blob),
    memberId: member.id,
    ...{ idToken, token, refreshToken },
    until: until ?? certificate.validBefore,
  });
  return until;
}

function withheld(): SallyportError {
  return new SallyportError(
    "token-invalid",
    "The sign-in brought no refresh token, and this control plane lets nobody in whom it cannot ask the identity provider about. " +
      "Update sallyport and sign in again; if that does not help, the identity provider gives none: tell whoever runs Sallyport " +
      "(issuers[].check.required).",
  );
}

/** Who keeps the refresh tokens of an issuer's sign-ins: what clients are told. */
export function refreshTokenKeeper(issuer: Pick<IssuerConfiguration, "check">): "client" | "control-plane" {
  return keepsGrants(issuer) ? "control-plane" : "client";
}
