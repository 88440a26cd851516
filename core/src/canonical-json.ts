import { createHash } from "node:crypto";
import canonicalize from "canonicalize";

/** Serialises `value` as RFC 8785 canonical JSON (JCS). A value that JSON cannot hold is a `TypeError`. */
export function canonicalJson(value: unknown): string {
  let text: string | undefined;
  try {
    text = canonicalize(value);
  } catch (cause) {
    throw new TypeError("value has no canonical JSON form", { cause });
  }
  if (text === undefined) throw new TypeError("value has no JSON form");
  return text;
}

/** SHA-256 of the canonical JSON of `value`, base64url without padding. */
export function canonicalHash(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("base64url");
}
