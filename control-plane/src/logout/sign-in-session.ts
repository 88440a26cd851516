import type { VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import { fingerprint, type SshPublicKey } from "@sallyport/core/ssh/public-key.ts";
import { decodeJwt } from "jose";
import { addSignInSession, sessionEndedAt } from "../database/sign-in-sessions.ts";
import type { Database } from "../database/tables.ts";
import { tokenHash } from "../issuance/api-token.ts";
import { Sid } from "./idp-jwt.ts";

/**
 * Notes which session at the IdP a sign-in came from, inside the transaction that completes it: when the IdP says that this session is over,
 * this sign-in is, and no other. Refuses one from a session that is over already, whose ID token was only brought late. Code
 * `token-invalid`. `idToken` is verified.
 */
export async function noteSignInSession(
  db: Database,
  idToken: string,
  { token, key, apiToken }: { token: VerifiedIdToken; key: SshPublicKey; apiToken: string },
): Promise<void> {
  const { success, data: sid } = Sid.safeParse(decodeJwt(idToken).sid);
  // One that no logout token can name: such a sign-in ends with any session of its subject.
  if (!success) return;
  const { issuer, subject, issuedAt } = token;
  if ((await sessionEndedAt(db, issuer, sid)) !== undefined)
    throw new SallyportError(
      "token-invalid",
      "signed-out: You have signed out at your IdP since this sign-in. Sign in again.",
    );
  await addSignInSession(db, {
    ...{ issuer, subject, sid },
    api_token_hash: tokenHash(apiToken),
    key_fingerprint: fingerprint(key.blob),
    signed_in_at: Math.floor(issuedAt),
  });
}
