import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { SallyportError } from "../errors.ts";
import { formatKeyLine, parseKeyLine } from "./key-line.ts";
import type { SshKeyType } from "./key-type.ts";
import { decodeMembers, encodeMembers, type JsonWebKeyMembers } from "./public-key-members.ts";
import { malformed } from "./wire.ts";

/** A public key: its type, its blob (RFC 4253 §6.6: type name, then the key's numbers), and the same for node:crypto. */
export type SshPublicKey = { type: SshKeyType; blob: Uint8Array; key: KeyObject };

const MAX_LINE_BLOB = 4096;

/**
 * Reads a public key blob. The result holds a copy, so later changes to `blob` do not reach it. Codes:
 * `ssh-malformed`, also for a point off its curve and for bytes left over; `ssh-unsupported` for a certificate, a
 * security key (`sk-…`), DSA, or RSA outside 2048 to 16384 bits. An Ed25519 point is not checked: a bad one verifies
 * nothing.
 */
export function parsePublicKeyBlob(blob: Uint8Array): SshPublicKey {
  const copy = new Uint8Array(blob);
  const { type, jwk } = decodeMembers(copy);
  try {
    return { type, blob: copy, key: createPublicKey({ format: "jwk", key: jwk }) };
  } catch (cause) {
    throw malformed("The public key is not a valid key of its type.", cause);
  }
}

/**
 * Reads one line of a `.pub` file; the comment is dropped. Codes as {@link parsePublicKeyBlob}, and `ssh-malformed`
 * for a line that is too long, has options in front, or names another type than its blob.
 */
export function parsePublicKeyLine(line: string): SshPublicKey {
  const { type, blob } = parseKeyLine(line, MAX_LINE_BLOB);
  const key = parsePublicKeyBlob(blob);
  if (key.type !== type) throw malformed("A key line names another type than its key.");
  return key;
}

/** Writes one line of a `.pub` file without a line end. A comment that is not printable ASCII is a `TypeError`. */
export function formatPublicKeyLine(key: SshPublicKey, comment?: string): string {
  return formatKeyLine(key.type, key.blob, comment);
}

/** The fingerprint that `ssh-keygen -l` shows: `SHA256:` and the unpadded base64 of the blob's hash. */
export function fingerprint(blob: Uint8Array): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

/**
 * The SSH form of a public key, or of a private key's public half. Code `ssh-unsupported` when SSH has no such key
 * (X25519, secp256k1, RSA-PSS) or we refuse it (RSA 1024). A secret key is a `TypeError`.
 */
export function publicKeyFromKeyObject(key: KeyObject): SshPublicKey {
  if (key.type === "secret") throw new TypeError("a secret key has no public half");
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  return parsePublicKeyBlob(encodeMembers(exportMembers(publicKey)));
}

function exportMembers(key: KeyObject): JsonWebKeyMembers {
  try {
    return key.export({ format: "jwk" });
  } catch (cause) {
    throw new SallyportError("ssh-unsupported", "The key is not one that SSH can use here.", { cause });
  }
}
