import { EMPTY_ROOT, nodeHash, sameHash } from "./hashing.ts";

/*
 * Verification as RFC 9162 §2.1.3.2 and §2.1.4.2 have it, step by step; its trees are those of RFC 6962. Numbers and
 * hashes come from outside: what does not fit is a proof that does not hold.
 */

/** The tree that a proof is about. */
export interface TreeHead {
  size: number;
  root: Uint8Array;
}

/** True when `proof` shows that the leaf with this hash is number `index` of the tree. */
export function holdsInclusion(
  leaf: { index: number; hash: Uint8Array },
  proof: readonly Uint8Array[],
  tree: TreeHead,
): boolean {
  if (!isSize(leaf.index) || !isSize(tree.size) || leaf.index >= tree.size) return false;
  let [at, last, hash] = [leaf.index, tree.size - 1, leaf.hash];
  for (const sibling of proof) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(sibling, hash);
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && sameHash(hash, tree.root);
}

/** True when `proof` shows that the tree `later` begins with all of `earlier`, in the same order. */
export function holdsConsistency(earlier: TreeHead, later: TreeHead, proof: readonly Uint8Array[]): boolean {
  if (!isSize(earlier.size) || !isSize(later.size) || earlier.size > later.size) return false;
  if (earlier.size === later.size) return proof.length === 0 && sameHash(earlier.root, later.root);
  if (earlier.size === 0) return proof.length === 0 && sameHash(earlier.root, EMPTY_ROOT);
  const path = isPowerOfTwo(earlier.size) ? [earlier.root, ...proof] : [...proof];
  const first = path.shift();
  if (first === undefined) return false;
  let [at, last] = [earlier.size - 1, later.size - 1];
  while (at % 2 === 1) [at, last] = [half(at), half(last)];
  let [earlierHash, laterHash] = [first, first];
  for (const sibling of path) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      earlierHash = nodeHash(sibling, earlierHash);
      laterHash = nodeHash(sibling, laterHash);
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      laterHash = nodeHash(laterHash, sibling);
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && sameHash(earlierHash, earlier.root) && sameHash(laterHash, later.root);
}

/** Sizes may be larger than 32 bits, so no shift operators. */
function half(value: number): number {
  return Math.floor(value / 2);
}

function isPowerOfTwo(value: number): boolean {
  let power = 1;
  while (power < value) power *= 2;
  return power === value;
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
