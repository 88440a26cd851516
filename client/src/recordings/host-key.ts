import { createPublicKey, type KeyObject } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { fingerprint, parsePublicKeyLine, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";

/**
 * The key that a host signs its recordings with, in any of the forms that people have it in: JWK `x` (43 characters of
 * base64url, as in enrolment), a JWK, a key line of OpenSSH, PEM, or a file that holds one of these. Code `usage`.
 */
export function parseHostKey(text: string): KeyObject {
  const value = existsSync(text) ? readFileSync(text, "utf8").trim() : text.trim();
  try {
    const key = readKey(value);
    if (key.asymmetricKeyType === "ed25519") return key;
  } catch {
    // Said below, once for every form.
  }
  throw new SallyportError(
    "usage",
    "This is no key of a host; give 43 characters of base64url, an ssh-ed25519 line, a JWK, or a file with one of them.",
  );
}

function readKey(value: string): KeyObject {
  if (/^[A-Za-z0-9_-]{43}$/.test(value))
    return createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x: value } });
  if (value.startsWith("{")) return createPublicKey({ format: "jwk", key: JSON.parse(value) });
  if (value.startsWith("-----BEGIN PUBLIC KEY-----")) return createPublicKey(value);
  return parsePublicKeyLine(value).key;
}

/** The fingerprint of a host's key, to compare with what was noted at enrolment. */
export function hostKeyFingerprint(key: KeyObject): string {
  return fingerprint(publicKeyFromKeyObject(key).blob);
}
