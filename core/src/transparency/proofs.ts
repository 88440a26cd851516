import {
  checkSize,
  type LeafRange,
  type ReadSubtree,
  rangeHash,
  type Subtree,
  subtreesOf,
} from "./subtrees.ts";

/*
 * Proofs as RFC 6962 §2.1.1 and §2.1.2 make them. Both are lists of hashes over ranges of leaves; the functions here say
 * which ranges, and hash them from stored subtrees.
 */

/**
 * The ranges whose hashes prove that leaf `index` is in the tree of `size` leaves: PATH(m, D[n]) of RFC 6962 §2.1.1.
 * An index that is not below `size` is a `TypeError`.
 */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  checkSize(index);
  checkSize(size);
  if (index >= size) throw new TypeError(`a tree of ${size} leaves has no leaf ${index}`);
  const ranges: LeafRange[] = [];
  let { begin, end } = { begin: 0, end: size };
  while (end - begin > 1) {
    const middle = begin + splitOf(end - begin);
    if (index < middle) {
      ranges.unshift({ begin: middle, end });
      end = middle;
    } else {
      ranges.unshift({ begin, end: middle });
      begin = middle;
    }
  }
  return ranges;
}

/**
 * The ranges whose hashes prove that the tree of `larger` leaves begins with that of `smaller`: PROOF(m, D[n]) of
 * RFC 6962 §2.1.2. Empty for the same size, and for the empty tree, which every tree begins with. A `smaller` that is
 * larger is a `TypeError`.
 */
export function consistencyRanges(smaller: number, larger: number): LeafRange[] {
  checkSize(smaller);
  checkSize(larger);
  if (smaller > larger) throw new TypeError(`${smaller} is more than ${larger}`);
  if (smaller === 0 || smaller === larger) return [];
  const ranges: LeafRange[] = [];
  let { begin, end } = { begin: 0, end: larger };
  while (end !== smaller) {
    const middle = begin + splitOf(end - begin);
    if (smaller <= middle) {
      ranges.unshift({ begin: middle, end });
      end = middle;
    } else {
      ranges.unshift({ begin, end: middle });
      begin = middle;
    }
  }
  // Whoever has the smaller tree's root knows this hash when it is all of that tree.
  if (begin !== 0) ranges.unshift({ begin, end });
  return ranges;
}

/** The stored subtrees that the hashes over `ranges` are made of. */
export function subtreesFor(ranges: readonly LeafRange[]): Subtree[] {
  return ranges.flatMap(subtreesOf);
}

/** The proof: the hash over each range, in order. */
export function proofOf(ranges: readonly LeafRange[], read: ReadSubtree): Uint8Array[] {
  return ranges.map((range) => rangeHash(range, read));
}

/** The largest power of two smaller than `count`, which is more than 1. */
function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}
