import { z } from "zod";

/*
 * Names that come from outside and end up on sshd lines, in paths or on terminals. Each is allow-listed here, once;
 * past this point the branded type says that it was.
 */

/** A Unix account: what `useradd` accepts by default (useradd(8), NAME_REGEX) without a leading dash. */
export const AccountName = z
  .string()
  .regex(/^[a-z_][a-z0-9_-]{0,31}$/, "an account name has lower-case letters, digits, _ and -, at most 32")
  .brand<"AccountName">();
export type AccountName = z.infer<typeof AccountName>;

/** A host's name as contractors type it: RFC 1123 labels. */
export const HostName = z
  .string()
  .max(253)
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/,
    "a host name has RFC 1123 labels in lower case",
  )
  .brand<"HostName">();
export type HostName = z.infer<typeof HostName>;

/** Short name of an engagement, a vendor or a label: it is shown and typed, so it is plain. */
export const ShortName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, "a name has lower-case letters, digits, . _ and -, at most 63")
  .brand<"ShortName">();
export type ShortName = z.infer<typeof ShortName>;

/** The kinds of identifier, by prefix. */
export type IdPrefix =
  | "hst"
  | "mem"
  | "eng"
  | "ven"
  | "ses"
  | "rev"
  | "evt"
  | "jtk"
  | "adm"
  | "ntc"
  | "apr"
  | "tok"
  | "hld"
  | "scu"
  | "scg";

/** An identifier of ours: a prefix and 26 Crockford base32 digits (48 bits of time, 80 of chance), so ids sort by time. */
export const Id = z.string().regex(/^[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}$/, "not an identifier of Sallyport");
export const SessionId = z
  .string()
  .regex(/^ses_[0-9a-hjkmnp-tv-z]{26}$/, "not a session id")
  .brand<"SessionId">();
export type SessionId = z.infer<typeof SessionId>;

const BASE32 = "0123456789abcdefghjkmnpqrstvwxyz";

/** Makes an identifier from the time (milliseconds since the epoch) and at least 10 random bytes. */
export function makeId(prefix: IdPrefix, timeMs: number, random: Uint8Array): string {
  if (random.length < 10) throw new TypeError("makeId needs 10 random bytes");
  let bits = BigInt(Math.floor(timeMs)) & 0xffffffffffffn;
  for (const byte of random.subarray(0, 10)) bits = (bits << 8n) | BigInt(byte);
  let digits = "";
  for (let i = 0; i < 26; i++) {
    digits = BASE32[Number(bits & 31n)] + digits;
    bits >>= 5n;
  }
  return `${prefix}_${digits}`;
}

/** Text for people (names, reasons, addresses): no control characters, so that no list, log or terminal acts on it. */
export const DisplayText = z
  .string()
  .max(500)
  .regex(/^[^\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]*$/u, "control characters are not allowed");

/** An e-mail address, in lower case. */
export const Email = z
  .email()
  .max(254)
  .transform((email) => email.toLowerCase());

/** Seconds since the epoch. */
export const EpochSeconds = z.int().min(0).max(253402300799);
