import { CLOCK_SKEW } from "@sallyport/core/admission/id-token.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import { compactVerify, createLocalJWKSet, errors } from "jose";
import { type Clock, seconds } from "../environment.ts";
import { type DecodedSet, decodeSet, type SetClaims } from "./decode-set.ts";
import { SetError } from "./set-error.ts";
import type { Transmitter } from "./transmitter.ts";
import type { KeySource } from "./transmitter-keys.ts";

/** What a SET is verified with. */
export interface VerificationNeeds {
  clock: Clock;
  transmitters: readonly Transmitter[];
  keys: KeySource;
}

/** A SET that its IdP signed, for us, not long ago. */
export interface VerifiedSet {
  transmitter: Transmitter;
  claims: SetClaims;
}

/** Where a SET says that it comes from; nothing of it is verified. */
export interface ClaimedSet {
  transmitter: Transmitter;
  decoded: DecodedSet;
}

/** Finds the IdP that a SET names. Codes `invalid_request`, `invalid_issuer`. */
export function claimedSet(compact: string, transmitters: readonly Transmitter[]): ClaimedSet {
  const decoded = decodeSet(compact);
  const transmitter = transmitters.find(({ iss }) => iss === decoded.claims.iss);
  if (transmitter !== undefined) return { transmitter, decoded };
  throw new SetError("invalid_issuer", "Security events of that issuer are not taken here.");
}

/**
 * Verifies a SET in the order of RFC 8417 and RFC 8935 §2: type, algorithm, key, signature, audience, times. Throws a
 * {@link SetError}; or, where it may pass later since keys cannot be had now, a SallyportError with code `issuer-unreachable`.
 */
export async function verifySet(needs: VerificationNeeds, claimed: ClaimedSet): Promise<VerifiedSet> {
  const { transmitter, decoded } = claimed;
  checkType(decoded);
  checkAlgorithm(decoded, transmitter);
  await checkSignature(decoded, transmitter, needs.keys);
  checkAudience(decoded, transmitter);
  checkTimes(decoded.claims, transmitter, seconds(needs.clock));
  return { transmitter, claims: decoded.claims };
}

/** Explicit typing (RFC 8417 §2.3) keeps ID tokens, logout tokens and access tokens out, whoever signed them. */
function checkType({ header }: DecodedSet): void {
  if (/^(?:application\/)?secevent\+jwt$/i.test(header.typ ?? "")) return;
  throw new SetError(
    "invalid_request",
    "The token's typ is not secevent+jwt: it is no Security Event Token.",
  );
}

function checkAlgorithm({ header }: DecodedSet, { algorithms }: Transmitter): void {
  if (algorithms.includes(header.alg)) return;
  throw new SetError("invalid_key", `The token's algorithm is not among ${algorithms.join(", ")}.`);
}

async function checkSignature(
  { compact, header }: DecodedSet,
  transmitter: Transmitter,
  keys: KeySource,
): Promise<void> {
  const { jwks, isFresh } = await keys.keysFor(transmitter, header.kid);
  try {
    await compactVerify(compact, createLocalJWKSet(jwks), { algorithms: [...transmitter.algorithms] });
  } catch (cause) {
    if (cause instanceof errors.JWKSMultipleMatchingKeys)
      throw new SetError("invalid_key", "The token names no key, and the IdP has several.", { cause });
    if (!(cause instanceof errors.JWKSNoMatchingKey))
      throw new SetError("authentication_failed", "The token's signature is not the IdP's.", { cause });
    // A key that was just rotated in must not cost an event: whoever sent it is told to come again.
    if (!isFresh)
      throw new SallyportError("issuer-unreachable", "The keys of the IdP were asked for a moment ago.", {
        cause,
      });
    throw new SetError("invalid_key", "The token's key is not among those that the IdP publishes.", {
      cause,
    });
  }
}

/** One of several audiences may be us: a SET is told, not presented, so nobody gains by having it. */
function checkAudience({ claims }: DecodedSet, { audiences }: Transmitter): void {
  const named = Array.isArray(claims.aud) ? claims.aud : [claims.aud];
  if (named.some((aud) => audiences.includes(aud))) return;
  throw new SetError("invalid_audience", "The token is for somebody else.", { isSigned: true });
}

/**
 * A SET may come late, for its IdP tries again, or its stream was paused: a week by default. That does no harm, as what it ends is
 * only what was there when it happened (`event-time.ts`), and to leave out what is a day old would leave people in who were
 * disabled meanwhile. It must not be older than what is remembered of `jti`s, though, or it could come twice.
 */
function checkTimes({ iat, exp, nbf, toe }: SetClaims, { maxAge }: Transmitter, now: number): void {
  const problem =
    iat > now + CLOCK_SKEW || (nbf ?? 0) > now + CLOCK_SKEW
      ? "is from the future: check the clocks of the IdP and of the control plane"
      : iat < now - maxAge
        ? "was issued too long ago"
        : exp !== undefined && exp <= now - CLOCK_SKEW
          ? "has expired"
          : (toe ?? 0) > iat + CLOCK_SKEW
            ? "tells of what had not happened when it was issued"
            : undefined;
  if (problem !== undefined)
    throw new SetError("invalid_request", `The token ${problem}.`, { isSigned: true });
}
