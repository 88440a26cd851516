import { CLOCK_SKEW, MAX_ID_TOKEN } from "@sallyport/core/admission/id-token.ts";
import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from "jose";
import { z } from "zod";
import { parseUniqueJson } from "../security-events/unique-json.ts";

/** Seconds since `iat` for which a JWT that an IdP sends about somebody is taken; it is made as it is sent. */
export const MAX_AGE = 300;

/** Text that is compared or stored: nobody's id has control characters, and PostgreSQL holds no U+0000. */
export const PlainText = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), "control characters are not allowed");

/** A session at an IdP, as ID tokens and logout tokens name it. */
export const Sid = PlainText(500);

const NumericDate = z.number().min(0).max(253_402_300_799);

const Header = z.looseObject({
  alg: z.string().max(40),
  typ: z.string().max(100).optional(),
  kid: z.string().max(255).optional(),
  // `jku`, `x5u`, `jwk` and `x5c` are left alone: keys come from the IdP's JWKS only.
  crit: z.never().optional(),
  b64: z.never().optional(),
  cty: z.never().optional(),
  enc: z.never().optional(),
});

/** What every JWT has that an IdP sends about somebody. */
export const JwtClaims = z.looseObject({
  iss: PlainText(2000),
  aud: z.union([PlainText(2000), z.array(PlainText(2000)).min(1).max(10)]),
  iat: NumericDate,
  jti: PlainText(255),
  exp: NumericDate.optional(),
  nbf: NumericDate.optional(),
});
export type JwtClaims = z.output<typeof JwtClaims>;

/** A JWT taken apart; nothing in it is verified. */
export interface DecodedJwt<Claims> {
  compact: string;
  header: z.output<typeof Header>;
  /** The header's `typ` in lower case without `application/`; undefined where it has none. */
  type: string | undefined;
  claims: Claims;
}

/** Takes a JWT apart: a compact JWS (RFC 7515 §7.1) and nothing else. Throws an Error whose message is a sentence. */
export function decodeJwtStrictly<Claims>(compact: string, schema: z.ZodType<Claims>): DecodedJwt<Claims> {
  if (compact.length > MAX_ID_TOKEN) throw new Error("The token is too long.");
  const [, head, payload] = /^([\w-]+)\.([\w-]+)\.([\w-]*)$/.exec(compact) ?? [];
  if (head === undefined || payload === undefined) throw new Error("The token is not a compact JWS.");
  const header = part(Header, head, "header");
  const type = header.typ?.toLowerCase().replace(/^application\//, "");
  return { compact, header, type, claims: part(schema, payload, "payload") };
}

function part<T>(schema: z.ZodType<T>, text: string, name: string): T {
  const bytes = Buffer.from(text, "base64url");
  // Another spelling of the same bytes would be another text with the same signature.
  if (bytes.toString("base64url") !== text) throw new Error(`The token's ${name} is not base64url.`);
  let json: unknown;
  try {
    json = parseUniqueJson(bytes);
  } catch (cause) {
    throw new Error(`The token's ${name} is not JSON with each member once.`, { cause });
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const where = String(result.error.issues[0]?.path[0] ?? "its top").slice(0, 40);
  throw new Error(`The token's ${name} has the wrong shape at ${where}.`, { cause: result.error });
}

/** Verifies the signature with the keys of the IdP as they are known. Throws an Error whose message is a sentence. */
export async function verifySignature(
  { compact, header }: Pick<DecodedJwt<unknown>, "compact" | "header">,
  keys: JSONWebKeySet | undefined,
  algorithms: readonly string[],
): Promise<void> {
  if (!algorithms.includes(header.alg)) throw new Error("The token's algorithm is not allowed for this IdP.");
  if (keys === undefined) throw new Error("The keys of this IdP are not known.");
  try {
    await compactVerify(compact, createLocalJWKSet(keys), { algorithms: [...algorithms] });
  } catch (cause) {
    throw new Error("The token's signature does not verify with the keys of this IdP.", { cause });
  }
}

/**
 * Checks that a JWT was made just now, and returns until when it has to be remembered so that it counts once, in seconds. One
 * without `exp` is as good as its `iat` makes it. Throws an Error whose message is a sentence.
 */
export function checkFresh({ iat, exp, nbf }: Pick<JwtClaims, "iat" | "exp" | "nbf">, now: number): number {
  if (Math.max(iat, nbf ?? 0) > now + CLOCK_SKEW) throw new Error("The token begins in the future.");
  if (iat < now - MAX_AGE - CLOCK_SKEW) throw new Error("The token was issued too long ago.");
  if (exp !== undefined && exp <= now - CLOCK_SKEW) throw new Error("The token has expired.");
  return Math.ceil(iat) + MAX_AGE + 2 * CLOCK_SKEW;
}

/** How a JWT is remembered, see `useToken`. */
export function jwtMark(kind: string, { iss, jti }: Pick<JwtClaims, "iss" | "jti">): string {
  return JSON.stringify([kind, iss, jti]);
}
