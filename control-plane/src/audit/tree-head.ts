import {
  consistencyRanges,
  inclusionRanges,
  proofOf,
  subtreesFor,
} from "@sallyport/core/transparency/proofs.ts";
import { joinSubtrees, type LeafRange, subtreesOf } from "@sallyport/core/transparency/subtrees.ts";
import type { TreeHead } from "@sallyport/core/transparency/verify-proof.ts";
import { readSubtrees } from "../database/audit-tree.ts";
import type { Database } from "../database/tables.ts";

/*
 * Roots and proofs of the audit log, each from a few stored subtrees. Sizes are of trees that there are: callers check.
 */

/** The hashes of the complete subtrees of a tree, left to right: what a verifier needs who begins there. */
export async function frontierAt(db: Database, size: number): Promise<Uint8Array[]> {
  const subtrees = subtreesOf({ begin: 0, end: size });
  return subtrees.map(await readSubtrees(db, subtrees));
}

/** Size and root of the tree as it was with `size` leaves. */
export async function treeHeadAt(db: Database, size: number): Promise<TreeHead> {
  return { size, root: joinSubtrees(await frontierAt(db, size)) };
}

/** Proves that leaf `index` is in the tree of `size` leaves. */
export function inclusionProof(db: Database, index: number, size: number): Promise<Uint8Array[]> {
  return proof(db, inclusionRanges(index, size));
}

/** Proves that the tree of `larger` leaves begins with that of `smaller`. */
export function consistencyProof(db: Database, smaller: number, larger: number): Promise<Uint8Array[]> {
  return proof(db, consistencyRanges(smaller, larger));
}

async function proof(db: Database, ranges: readonly LeafRange[]): Promise<Uint8Array[]> {
  return proofOf(ranges, await readSubtrees(db, subtreesFor(ranges)));
}
