import { z } from "zod";
import { canonicalHash } from "../canonical-json.ts";
import { SallyportError } from "../errors.ts";
import { MfaLevel } from "../policy/engagement.ts";

const SshKeyLine = z
  .string()
  .max(4096)
  .regex(/^[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [!-~ ]*)?$/);
const Ed25519Jwk = z.strictObject({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  kid: z.string().min(1).max(128),
});

/** The signature algorithms that a host may accept on ID tokens: asymmetric ones only. */
export const IdTokenAlgorithm = z.enum([
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
]);

const ClaimValue = z.string().min(1).max(255);

/**
 * An IdP as a host pins it. Members that may be missing are left out where they say nothing, so that older hosts read what
 * they pinned, and the hash in a join token stays the same.
 */
export const TrustedIssuer = z.strictObject({
  issuer: z.url(),
  /** Other spellings of `iss` that mean the same IdP: Google leaves out `https://` now and then. */
  aliases: z.array(ClaimValue).max(4).optional(),
  /** `aud` values accepted: the public client of the command line, never a web client's. */
  clientIds: z.array(z.string().min(1).max(255)).min(1).max(10),
  algorithms: z.array(IdTokenAlgorithm).min(1),
  /** Oldest `iat` accepted, in seconds. */
  maxTokenAge: z.int().min(60).max(604_800),
  /**
   * For how many seconds after a person proved who they are their certificate may be renewed without them, see
   * `admission/renewal.ts`; missing where it may not be.
   */
  maxSignInAge: z.int().min(300).max(86_400).optional(),
  /** How `acr` and `amr` values of this IdP translate to levels; what is not named counts as `none`. */
  mfa: z.strictObject({
    acr: z.record(z.string().max(255), MfaLevel),
    amr: z.record(z.string().max(255), MfaLevel),
    /** Authentication contexts of Entra ID. */
    acrs: z.record(z.string().max(255), MfaLevel).optional(),
    /** What every sign-in counts as at least, because the IdP lets nobody in without it. */
    assume: MfaLevel.optional(),
  }),
  /** The claim that names the person; `sub` when missing. Entra's `sub` differs for each application, `oid` does not. */
  subjectClaim: z.enum(["sub", "oid"]).optional(),
  /** Claims that a token must have, with one of these values: which tenant or domain of the IdP (`tid`, `hd`). */
  requiredClaims: z.record(z.string().min(1).max(64), z.array(ClaimValue).min(1).max(100)).optional(),
});
export type TrustedIssuer = z.infer<typeof TrustedIssuer>;

/**
 * What a host pins at enrolment, and never takes from the control plane again without being told by its
 * administrator, or by a key that it pins (`key-succession.ts`): who signs certificates, policy and ID tokens.
 */
export const Trust = z.strictObject({
  v: z.literal(1),
  controlPlane: z.url(),
  userCaKeys: z.array(SshKeyLine).min(1).max(10),
  hostCaKeys: z.array(SshKeyLine).min(1).max(10),
  policyKeys: z.array(Ed25519Jwk).min(1).max(10),
  issuers: z.array(TrustedIssuer).min(1).max(100),
});
export type Trust = z.infer<typeof Trust>;

/** What a join token holds: a one-time secret, and the hash of the trust to pin, so that nothing is trusted on first use. */
export const JoinToken = z.strictObject({
  v: z.literal(1),
  server: z.url(),
  id: z.string().regex(/^jtk_[0-9a-z]{26}$/),
  secret: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  trustHash: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
});
export type JoinToken = z.infer<typeof JoinToken>;

const PREFIX = "spj1.";

/** One printable word: `spj1.` and base64url JSON. */
export function formatJoinToken(token: JoinToken): string {
  return PREFIX + Buffer.from(JSON.stringify(token)).toString("base64url");
}

/** Reads a join token. Code `join-token-malformed`; the error never repeats the token. */
export function parseJoinToken(text: string): JoinToken {
  const trimmed = text.trim();
  try {
    if (!trimmed.startsWith(PREFIX) || trimmed.length > 4096) throw new Error("prefix or length");
    return JoinToken.parse(
      JSON.parse(Buffer.from(trimmed.slice(PREFIX.length), "base64url").toString("utf8")),
    );
  } catch {
    throw new SallyportError(
      "join-token-malformed",
      "This is not a join token. It starts with spj1. and must be copied whole; make a new one on the control plane.",
    );
  }
}

/** The hash that a join token carries for a trust document. */
export function trustHash(trust: Trust): string {
  return canonicalHash(trust);
}
