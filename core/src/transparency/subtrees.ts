import { EMPTY_ROOT, nodeHash } from "./hashing.ts";

/*
 * A tree of any size is made of complete subtrees, whose hashes never change once they are full. They are all that is
 * stored: roots of every size and all proofs come from a few of them (RFC 9162 §2.1.2; "compact ranges").
 */

/** A complete subtree: its leaves are `index * 2^level` up to, not including, `(index + 1) * 2^level`. */
export interface Subtree {
  level: number;
  index: number;
}

/** Leaves `begin` up to, not including, `end`. */
export interface LeafRange {
  begin: number;
  end: number;
}

/** Looks a stored hash up. Throws when there is none. */
export type ReadSubtree = (subtree: Subtree) => Uint8Array;

/**
 * The complete subtrees that a range is made of, left to right. `begin` must be one where RFC 6962 splits a tree: a
 * multiple of the largest power of two that is smaller than the range, or 0.
 */
export function subtreesOf({ begin, end }: LeafRange): Subtree[] {
  checkSize(begin);
  checkSize(end);
  const parts: Subtree[] = [];
  for (let at = begin; at < end; ) {
    let level = Math.floor(Math.log2(end - at));
    // log2 of a large number may be rounded up.
    if (2 ** level > end - at) level--;
    if (at % 2 ** level !== 0) throw new TypeError(`no tree is split at leaf ${at}`);
    parts.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return parts;
}

/** The hash over a range from the hashes of {@link subtreesOf} it; without any, the root of the empty tree. */
export function joinSubtrees(hashes: readonly Uint8Array[]): Uint8Array {
  return hashes.length === 0 ? EMPTY_ROOT : hashes.reduceRight((right, left) => nodeHash(left, right));
}

/** The hash over a range: MTH(D[begin:end]) of RFC 6962 §2.1. */
export function rangeHash(range: LeafRange, read: ReadSubtree): Uint8Array {
  return joinSubtrees(subtreesOf(range).map(read));
}

/** The subtrees that the next leaf of a tree of `size` leaves completes a larger one with, the smallest first. */
export function subtreesToMerge(size: number): Subtree[] {
  checkSize(size);
  const merged: Subtree[] = [];
  for (let rest = size, level = 0; rest % 2 === 1; rest = (rest - 1) / 2, level++) {
    merged.push({ level, index: rest - 1 });
  }
  return merged;
}

/**
 * What appending a leaf adds to a tree of `size` leaves: the leaf itself and every subtree that it completes. One hash
 * on average, log2(size) at most.
 */
export function appendLeaf(
  size: number,
  leaf: Uint8Array,
  read: ReadSubtree,
): (Subtree & { hash: Uint8Array })[] {
  const added = [{ level: 0, index: size, hash: leaf }];
  let { hash, index } = { hash: leaf, index: size };
  for (const left of subtreesToMerge(size)) {
    hash = nodeHash(read(left), hash);
    index = (index - 1) / 2;
    added.push({ level: left.level + 1, index, hash });
  }
  return added;
}

/** A tree's size or a leaf's index is a safe integer of at least 0. A mistake of the caller is a `TypeError`. */
export function checkSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0) throw new TypeError(`${size} is no size of a tree`);
}
