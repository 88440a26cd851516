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
const MAX_LISTED_NAME = 255;

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
  /** Authentication contexts that Entra ID says were met. */
  acrs: string[];
  email: string | null;
  emailVerified: boolean;
  name: string | null;
  /** Every other claim that is a list of names, such as `groups`; names of more than 255 characters are left out. */
  lists: ReadonlyMap<string, readonly string[]>;
  /** Claims that are not in the token because they would be too long for it; OpenID Connect Core §5.6.2. */
  elsewhere: readonly string[];
}

export interface IdTokenContext {
  issuers: readonly TrustedIssuer[];
  /** The IdP's keys as cached; undefined when none were ever had. Never fetches. */
  keys(issuer: string): JSONWebKeySet | undefined;
  /** Seconds since the epoch. */
  now: number;
}

/** One value or several: some IdPs write a list of one as text. */
const Values = z
  .union([
    z
      .string()
      .max(255)
      .transform((value) => [value]),
    z.array(z.string().max(255)).max(20),
  ])
  .optional();

const Claims = z.looseObject({
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
  amr: Values,
  acrs: Values,
  oid: z.string().min(1).max(255).optional(),
  email: z.string().max(320).optional(),
  email_verified: z.union([z.boolean(), z.enum(["true", "false"])]).optional(),
  name: z.string().max(500).optional(),
  // What a logout token and a Security Event Token have (OpenID back-channel logout §2.4, RFC 8417 §4.5), signed with the same keys.
  events: z.never().optional(),
});

/** Types of what an IdP signs with the same keys, and which is no ID token (RFC 8725 §3.11). */
const OTHER_TYPE = /^(?:application\/)?(?:secevent|logout|at)\+jwt$/i;

const Header = z.object({
  alg: z.string(),
  typ: z
    .string()
    .refine((typ) => !OTHER_TYPE.test(typ))
    .optional(),
  kid: z.string().max(255).optional(),
  crit: z.never().optional(),
  b64: z.never().optional(),
});

/**
 * Verifies an ID token offline, in the order of OpenID Connect Core §3.1.3.7: shape, pinned issuer, allowed algorithm,
 * signature by a cached key, audience and authorized party, tenant, expiry, age. Only the compact serialisation of RFC 7515
 * passes, so there are no unprotected headers and no second signatures. Throws {@link RefusedError} with a `token-…`
 * code.
 */
export async function verifyIdToken(token: string, context: IdTokenContext): Promise<VerifiedIdToken> {
  return (await verifyAddressedToken(token, context, checkTimes)).token;
}

/** A verified token, and whom the IdP made it for: `aud` and `azp`. */
export interface AddressedToken {
  token: VerifiedIdToken;
  audiences: readonly string[];
  authorizedParty: string | null;
}

/** {@link verifyIdToken}, with the check of its times left to the caller. */
export async function verifyAddressedToken(
  token: string,
  context: IdTokenContext,
  times: typeof checkTimes,
): Promise<AddressedToken> {
  const parts = splitToken(token);
  const header = parsePart(Header, parts.header, "header");
  const claims = parsePart(Claims, parts.payload, "payload");
  const issuer = checkIssuer(claims.iss, context.issuers);
  checkAlgorithm(header.alg, issuer);
  await checkSignature(token, header.kid, issuer, context.keys(issuer.issuer));
  checkAudience(claims, issuer);
  checkTenant(claims, issuer);
  times(claims, issuer, context.now);
  return {
    token: {
      issuer: issuer.issuer,
      subject: subjectOf(claims, issuer),
      nonce: claims.nonce ?? null,
      issuedAt: claims.iat,
      expiresAt: claims.exp,
      authTime: claims.auth_time ?? null,
      mfa: mfaLevelOf(claims, issuer),
      acr: claims.acr ?? null,
      amr: claims.amr ?? [],
      acrs: claims.acrs ?? [],
      email: claims.email ?? null,
      emailVerified: claims.email_verified === true || claims.email_verified === "true",
      name: claims.name ?? null,
      ...readLists(parts.payload),
    },
    audiences: Array.isArray(claims.aud) ? claims.aud : [claims.aud],
    authorizedParty: claims.azp ?? null,
  };
}

/** The lists of names in a payload that has been parsed and verified. */
function readLists(payload: string): Pick<VerifiedIdToken, "lists" | "elsewhere"> {
  const { _claim_names, ...claims } = parsePart(z.record(z.string(), z.unknown()), payload, "payload");
  const lists = new Map<string, string[]>();
  for (const [claim, value] of Object.entries(claims)) {
    if (!Array.isArray(value)) continue;
    const names = value.filter((name) => typeof name === "string" && name.length <= MAX_LISTED_NAME);
    lists.set(claim, names);
  }
  const pointers = z.record(z.string(), z.unknown()).safeParse(_claim_names);
  return { lists, elsewhere: pointers.success ? Object.keys(pointers.data) : [] };
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
  const issuer = issuers.find((one) => one.issuer === iss || one.aliases?.includes(iss));
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

/** One issuer may serve many organisations: which one is meant is pinned too, as `tid` (Entra ID) or `hd` (Google). */
function checkTenant(claims: z.infer<typeof Claims>, issuer: TrustedIssuer): void {
  for (const [name, allowed] of Object.entries(issuer.requiredClaims ?? {})) {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    if (typeof value === "string" && allowed.includes(value)) continue;
    const given = typeof value === "string" ? value.slice(0, 200) : "nothing";
    throw new RefusedError("token-tenant", `${name} is ${given}, which is not pinned for ${issuer.issuer}`);
  }
}

function subjectOf(claims: z.infer<typeof Claims>, issuer: TrustedIssuer): string {
  const name = issuer.subjectClaim ?? "sub";
  const subject = claims[name];
  if (subject !== undefined) return subject;
  throw new RefusedError("token-malformed", `the ID token has no ${name}, which names the person here`);
}

/** The times of a token that has to be good by itself: expiry, beginning, age. */
export function checkTimes(claims: z.infer<typeof Claims>, issuer: TrustedIssuer, now: number): void {
  if (claims.exp <= now - CLOCK_SKEW) {
    throw new RefusedError("token-expired", `the ID token expired ${Math.round(now - claims.exp)} s ago`);
  }
  checkBegun(claims, now);
  if (claims.iat < now - issuer.maxTokenAge - CLOCK_SKEW) {
    throw new RefusedError("token-too-old", `the ID token was issued ${Math.round(now - claims.iat)} s ago`);
  }
}

/**
 * The times of the token of a sign-in that was renewed since: its `exp` may be over, and what counts is how long ago the
 * person proved who they are. Where renewal is not accepted, those of any token.
 */
export function checkSignInTimes(claims: z.infer<typeof Claims>, issuer: TrustedIssuer, now: number): void {
  if (issuer.maxSignInAge === undefined) {
    checkTimes(claims, issuer, now);
    return;
  }
  checkBegun(claims, now);
  const age = now - Math.min(claims.iat, claims.auth_time ?? claims.iat);
  if (age > issuer.maxSignInAge + CLOCK_SKEW) {
    throw new RefusedError("sign-in-too-old", `the sign-in was ${Math.round(age)} s ago`);
  }
}

function checkBegun(claims: z.infer<typeof Claims>, now: number): void {
  const begins = Math.max(claims.iat, claims.nbf ?? 0, claims.auth_time ?? 0);
  if (begins > now + CLOCK_SKEW) {
    throw new RefusedError(
      "token-not-yet-valid",
      `the ID token begins ${Math.round(begins - now)} s from now`,
    );
  }
}
