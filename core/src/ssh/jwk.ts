import { parsePublicKeyBlob, type SshPublicKey } from "./public-key.ts";
import { decodeMembers, encodeMembers, type PublicJwk } from "./public-key-members.ts";
import { malformed } from "./wire.ts";

/** An SSH key as its JWK members that RFC 7638 §3.2 requires, and no others, in lexical order. */
export function sshKeyToJwk(key: SshPublicKey): PublicJwk {
  return decodeMembers(key.blob).jwk;
}

/**
 * The strict inverse of {@link sshKeyToJwk}: takes only a JWK that sshKeyToJwk could have returned, so that one key
 * has one JWK. Codes: `ssh-malformed` (unknown or missing members, base64url that is not canonical, numbers with
 * leading zeros, a point off its curve); `ssh-unsupported` for another `kty` or `crv`.
 */
export function jwkToSshKey(jwk: unknown): SshPublicKey {
  if (typeof jwk !== "object" || jwk === null) throw malformed("A JWK is not an object.");
  const key = parsePublicKeyBlob(encodeMembers(jwk));
  const expected: Partial<Record<string, string>> = sshKeyToJwk(key);
  const given = Object.entries(jwk);
  const same = given.length === Object.keys(expected).length && given.every(([k, v]) => expected[k] === v);
  if (!same)
    throw malformed("A JWK is not in its canonical form, or has members that RFC 7638 does not require.");
  return key;
}
