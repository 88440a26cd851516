import { createHash } from "node:crypto";

/*
 * Hashes of a Merkle tree as RFC 6962 §2.1 has them, with SHA-256. Leaves and inner nodes begin with different bytes, so
 * that neither can be taken for the other.
 */

const LEAF = Uint8Array.of(0x00);
const NODE = Uint8Array.of(0x01);

/** Bytes of a hash. */
export const HASH_LENGTH = 32;

/** The root of the tree without leaves: SHA-256 of nothing. */
export const EMPTY_ROOT: Uint8Array = createHash("sha256").digest();

/** The hash of a leaf: SHA-256(0x00 || data). Text counts as UTF-8. */
export function leafHash(data: string | Uint8Array): Uint8Array {
  return createHash("sha256").update(LEAF).update(data).digest();
}

/** The hash of an inner node: SHA-256(0x01 || left || right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return createHash("sha256").update(NODE).update(left).update(right).digest();
}

/** True when two hashes are the same. They are public, so time does not matter. */
export function sameHash(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
