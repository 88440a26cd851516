import { compactVerify, createLocalJWKSet, errors, type JSONWebKeySet } from "jose";
import { z } from "zod";
import type { TrustedIssuer } from "../messages/trust.ts";
import type { MfaLevel } from "../policy/engagement.ts";
import { RefusedError } from "../policy/refusal.ts";
import { mfaLevelOf } from "./mfa.ts";

/** Seconds by which clocks of IdP and host may differ. */
export const CLOCK_SKEW = 60;
/** Longest ID token looked at, in characters. */
export const MAX_ID_TOKEN = 20_000;

/** The claims of a verified ID token that we use; OpenID Connect Core §2. Times in seconds since the epoch. */
export interface VerifiedIdToken {
  issuer: string;
  subject: string;
  nonce: string | null;
  issuedAt: number;
  expiresAt: number;
  authTime: number | null;
  mfa: MfaLevel;
  acr: string | null;
  amr: string[];
  email: string | null;
  emailVerified: boolean;
  name: string | null;
}

export interface IdTokenContext {
  issuers: readonly TrustedIssuer[];
  /** The IdP's keys as cached; undefined when none were ever had. Never fetches. */
  keys(issuer: string): JSONWebKeySet | undefined;
  /** Seconds since the epoch. */
  now: number;
}

const Claims = z.object({
  iss: z.string(),
  sub: z.string().min(1).max(255),
  aud: z.union([z.string(), z.array(z.string()).min(1).max(10)]),
  azp: z.string().optional(),
  exp: z.number(),
  iat: z.number(),
  nbf: z.number().optional(),
  auth_time: z.number().optional(),
  nonce: z.string().max(255).optional(),
  acr: z.string().max(255).optional(),
  amr: z.array(z.string().max(255)).max(20).optional(),
  email: z.string().max(320).optional(),
  email_verified: z.union([z.boolean(), z.enum(["true", "false"])]).optional(),
  name: z.string().max(500).optional(),
});

const Header = z.object({
  alg: z.string(),
  kid: z.string().max(255).optional(),
  crit: z.never().optional(),
  b64: z.never().optional(),
});

/**
 * Verifies an ID token offline, in the order of OpenID Connect Core §3.1.3.7: shape, pinned issuer, allowed algorithm,
 * signature by a cached key, audience and authorized party, expiry, age. Only the compact serialisation of RFC 7515
 * passes, so there are no unprotected headers and no second signatures. Throws {@link RefusedError} with a `token-…`
 * code.
 */
export async function verifyIdToken(token: string, context: IdTokenContext): Promise<VerifiedIdToken> {
  const parts = splitToken(token);
  const header = parsePart(Header, parts.header, "header");
  const claims = parsePart(Claims, parts.payload, "payload");
  const issuer = checkIssuer(claims.iss, context.issuers);
  checkAlgorithm(header.alg, issuer);
  await checkSignature(token, header.kid, issuer, context.keys(issuer.issuer));
  checkAudience(claims, issuer);
  checkTimes(claims, issuer, context.now);
  return {
    issuer: issuer.issuer,
    subject: claims.sub,
    nonce: claims.nonce ?? null,
    issuedAt: claims.iat,
    expiresAt: claims.exp,
    authTime: claims.auth_time ?? null,
    mfa: mfaLevelOf(claims, issuer),
    acr: claims.acr ?? null,
    amr: claims.amr ?? [],
    email: claims.email ?? null,
    emailVerified: claims.email_verified === true || claims.email_verified === "true",
    name: claims.name ?? null,
  };
}

function splitToken(token: string): { header: string; payload: string } {
  if (token.length > MAX_ID_TOKEN) throw new RefusedError("token-malformed", "the ID token is too long");
  const match = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)$/.exec(token);
  if (!match?.[1] || !match[2])
    throw new RefusedError("token-malformed", "the ID token is not a compact JWS");
  return { header: match[1], payload: match[2] };
}

function parsePart<T>(schema: z.ZodType<T>, part: string, name: string): T {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
  } catch (cause) {
    throw new RefusedError("token-malformed", `the ID token's ${name} is not JSON`, { cause });
  }
  const result = schema.safeParse(json);
  if (!result.success) {
    const where = result.error.issues[0]?.path.join(".") || "its top";
    throw new RefusedError("token-malformed", `the ID token's ${name} has the wrong shape at ${where}`);
  }
  return result.data;
}

function checkIssuer(iss: string, issuers: readonly TrustedIssuer[]): TrustedIssuer {
  const issuer = issuers.find((one) => one.issuer === iss);
  if (issuer === undefined)
    throw new RefusedError("token-issuer", `issuer ${iss.slice(0, 200)} is not pinned here`);
  return issuer;
}

function checkAlgorithm(alg: string, issuer: TrustedIssuer): void {
  if (!(issuer.algorithms as string[]).includes(alg)) {
    throw new RefusedError(
      "token-algorithm",
      `algorithm ${alg.slice(0, 40)} is not allowed for ${issuer.issuer}`,
    );
  }
}

async function checkSignature(
  token: string,
  kid: string | undefined,
  issuer: TrustedIssuer,
  keys: JSONWebKeySet | undefined,
): Promise<void> {
  if (keys === undefined) {
    throw new RefusedError("token-key-unknown", `the keys of ${issuer.issuer} were never fetched`);
  }
  try {
    await compactVerify(token, createLocalJWKSet(keys), { algorithms: issuer.algorithms });
  } catch (cause) {
    if (cause instanceof errors.JWKSNoMatchingKey || cause instanceof errors.JWKSMultipleMatchingKeys) {
      throw new RefusedError(
        "token-key-unknown",
        `no key ${kid?.slice(0, 80) ?? "(no kid)"} is known of ${issuer.issuer}`,
        {
          cause,
        },
      );
    }
    throw new RefusedError("token-signature", "the ID token's signature does not verify", { cause });
  }
}

function checkAudience(claims: z.infer<typeof Claims>, issuer: TrustedIssuer): void {
  const audiences = Array.isArray(claims.aud) ? claims.aud : [claims.aud];
  // A token for several audiences could have been got by another of them; and azp, where given, must be us (§3.1.3.7).
  const foreign = audiences.find((aud) => !issuer.clientIds.includes(aud));
  if (foreign !== undefined) {
    throw new RefusedError(
      "token-audience",
      `audience ${foreign.slice(0, 200)} is not the command line's client`,
    );
  }
  if (claims.azp !== undefined && !issuer.clientIds.includes(claims.azp)) {
    throw new RefusedError(
      "token-audience",
      `authorized party ${claims.azp.slice(0, 200)} is not the command line's client`,
    );
  }
}

function checkTimes(claims: z.infer<typeof Claims>, issuer: TrustedIssuer, now: number): void {
  if (claims.exp <= now - CLOCK_SKEW) {
    throw new RefusedError("token-expired", `the ID token expired ${Math.round(now - claims.exp)} s ago`);
  }
  const begins = Math.max(claims.iat, claims.nbf ?? 0, claims.auth_time ?? 0);
  if (begins > now + CLOCK_SKEW) {
    throw new RefusedError(
      "token-not-yet-valid",
      `the ID token begins ${Math.round(begins - now)} s from now`,
    );
  }
  if (claims.iat < now - issuer.maxTokenAge - CLOCK_SKEW) {
    throw new RefusedError("token-too-old", `the ID token was issued ${Math.round(now - claims.iat)} s ago`);
  }
}
