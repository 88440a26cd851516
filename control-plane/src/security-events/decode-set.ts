import { z } from "zod";
import { SetError } from "./set-error.ts";
import { parseUniqueJson } from "./unique-json.ts";

/** Longest token looked at, in bytes. */
export const MAX_SET = 64 * 1024;
const MOST_EVENTS = 10;

/** Text that is compared or stored: PostgreSQL holds no U+0000, and nobody's id has control characters. */
export const Text = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), "control characters are not allowed");

const Header = z.looseObject({
  alg: z.string().max(40),
  typ: z.string().max(100).optional(),
  kid: z.string().max(255).optional(),
  // `jku`, `x5u`, `jwk` and `x5c` are left alone: keys come from the IdP's JWKS only.
  crit: z.never().optional(),
  b64: z.never().optional(),
  // Nothing that is nested or compressed.
  cty: z.never().optional(),
  zip: z.never().optional(),
  enc: z.never().optional(),
});

const NumericDate = z.number().min(0).max(253_402_300_799);

const Claims = z.looseObject({
  iss: Text(2000),
  aud: z.union([Text(500), z.array(Text(500)).min(1).max(20)]),
  iat: NumericDate,
  jti: Text(255),
  exp: NumericDate.optional(),
  nbf: NumericDate.optional(),
  toe: NumericDate.optional(),
  sub: Text(255).optional(),
  sub_id: z.unknown().optional(),
  // What an ID token or a logout token has, and a SET has not (RFC 8417 §4.5 and §4.6, OpenID back-channel logout §2.4).
  nonce: z.never().optional(),
  auth_time: z.never().optional(),
  at_hash: z.never().optional(),
  events: z
    .record(z.string().min(1).max(500), z.record(z.string(), z.unknown()))
    .refine((events) => Object.keys(events).length > 0, "is empty")
    .refine((events) => Object.keys(events).length <= MOST_EVENTS, "has too many members"),
});

export type SetHeader = z.output<typeof Header>;
export type SetClaims = z.output<typeof Claims>;

/** A Security Event Token taken apart; nothing in it is verified. */
export interface DecodedSet {
  compact: string;
  header: SetHeader;
  claims: SetClaims;
}

/** Takes a SET apart: a compact JWS (RFC 7515 §7.1) and nothing else. Code `invalid_request`. */
export function decodeSet(compact: string): DecodedSet {
  if (compact.length > MAX_SET) throw malformed(`is longer than ${MAX_SET} bytes`);
  const [, header, payload] = /^([\w-]+)\.([\w-]+)\.([\w-]*)$/.exec(compact) ?? [];
  if (header === undefined || payload === undefined) throw malformed("is not a compact JWS");
  return { compact, header: part(Header, header, "header"), claims: part(Claims, payload, "payload") };
}

function part<T>(schema: z.ZodType<T>, text: string, name: string): T {
  const bytes = Buffer.from(text, "base64url");
  // Another spelling of the same bytes would be another text with the same signature.
  if (bytes.toString("base64url") !== text) throw malformed(`has a ${name} that is not base64url`);
  let json: unknown;
  try {
    json = parseUniqueJson(bytes);
  } catch (cause) {
    throw malformed(`has a ${name} that is not JSON with each member once`, cause);
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const where = result.error.issues[0]?.path[0] ?? "its top";
  throw malformed(`has a ${name} with the wrong shape at ${String(where).slice(0, 40)}`, result.error);
}

function malformed(what: string, cause?: unknown): SetError {
  return new SetError("invalid_request", `The token ${what}.`, { cause });
}
