import { RefusedError } from "../policy/refusal.ts";
import {
  type AddressedToken,
  checkSignInTimes,
  checkTimes,
  type IdTokenContext,
  type VerifiedIdToken,
  verifyAddressedToken,
} from "./id-token.ts";
import { lowerLevel } from "./mfa.ts";

/*
 * A renewed certificate carries two ID tokens. The first is that of the sign-in: its nonce commits to the SSH key, and its
 * `exp` may be over. The second is fresh, got with a refresh token (OpenID Connect Core §12.2): it says that the IdP still
 * vouches for this person, and nothing about the key, as it need not have a nonce.
 */

/**
 * Verifies the token of a sign-in that is to be renewed, or was. Throws a {@link RefusedError}: as `verifyIdToken`, and
 * `sign-in-too-old` in place of the codes for what has expired.
 */
export function verifySignInToken(token: string, context: IdTokenContext): Promise<AddressedToken> {
  return verifyAddressedToken(token, context, checkSignInTimes);
}

/**
 * Verifies a fresh token for the sign-in of `original`, whose nonce must have been checked. Returns who it is, as the sign-in
 * told it: `auth_time` stays, because a refresh is no new authentication, and the level is the lower of both. Throws a
 * {@link RefusedError}: as `verifyIdToken`, and `renewal-mismatch` for a token that continues another sign-in.
 */
export async function verifyFreshToken(
  original: AddressedToken,
  freshToken: string,
  context: IdTokenContext,
): Promise<{ signIn: VerifiedIdToken; fresh: VerifiedIdToken }> {
  const fresh = await verifyAddressedToken(freshToken, context, checkTimes);
  checkContinues(original, fresh);
  const mfa = saysHow(fresh.token)
    ? lowerLevel(original.token.mfa, fresh.token.mfa)
    : // Many IdPs leave `acr` and `amr` out of refreshed tokens: then the sign-in's are all that was ever said.
      original.token.mfa;
  return { signIn: { ...original.token, mfa }, fresh: fresh.token };
}

/** The rules of OpenID Connect Core §12.2 for a refreshed ID token. */
function checkContinues(original: AddressedToken, fresh: AddressedToken): void {
  const [first, second] = [original.token, fresh.token];
  const same: [what: string, holds: boolean][] = [
    ["issuer", first.issuer === second.issuer],
    ["subject", first.subject === second.subject],
    ["audience", isSameSet(original.audiences, fresh.audiences)],
    [
      "authorized party",
      eitherMissing(original.authorizedParty, fresh.authorizedParty) ||
        original.authorizedParty === fresh.authorizedParty,
    ],
    // A nonce that is there is the sign-in's: another one belongs to a sign-in with another key.
    ["nonce", second.nonce === null || second.nonce === first.nonce],
    ["auth_time", eitherMissing(first.authTime, second.authTime) || first.authTime === second.authTime],
  ];
  const differs = same.find(([, holds]) => !holds)?.[0];
  if (differs !== undefined)
    throw new RefusedError(
      "renewal-mismatch",
      `the fresh ID token is of another ${differs} than the sign-in`,
    );
  if (second.issuedAt < first.issuedAt)
    throw new RefusedError("renewal-mismatch", "the fresh ID token is older than the sign-in");
}

function eitherMissing(one: unknown, other: unknown): boolean {
  return one === null || other === null;
}

function isSameSet(one: readonly string[], other: readonly string[]): boolean {
  const values = new Set(one);
  return values.size === new Set(other).size && other.every((value) => values.has(value));
}

function saysHow({ acr, amr, acrs }: VerifiedIdToken): boolean {
  return acr !== null || amr.length > 0 || acrs.length > 0;
}
