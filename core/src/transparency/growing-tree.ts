import { appendLeaf, joinSubtrees, type Subtree, subtreesOf } from "./subtrees.ts";

/** A tree that only grows, of which no more is kept than log2(size) hashes: enough for the root at every moment. */
export class GrowingTree {
  #size: number;
  /** The hashes of the complete subtrees, left to right. */
  readonly #frontier: Uint8Array[];

  /** Goes on from a tree of `size` leaves whose complete subtrees have these hashes. A wrong number is a `TypeError`. */
  constructor(size = 0, frontier: readonly Uint8Array[] = []) {
    if (frontier.length !== subtreesOf({ begin: 0, end: size }).length)
      throw new TypeError(`a tree of ${size} leaves has not ${frontier.length} subtrees`);
    this.#size = size;
    this.#frontier = [...frontier];
  }

  get size(): number {
    return this.#size;
  }

  /** Appends a leaf by its hash. Returns it and every subtree that it completes, the largest last. */
  append(leaf: Uint8Array): (Subtree & { hash: Uint8Array })[] {
    // What it is merged with stands at the end, the smallest last.
    const added = appendLeaf(this.#size, leaf, () => {
      const left = this.#frontier.pop();
      if (left === undefined) throw new TypeError("a subtree is missing");
      return left;
    });
    this.#frontier.push(added.at(-1)?.hash ?? leaf);
    this.#size++;
    return added;
  }

  root(): Uint8Array {
    return joinSubtrees(this.#frontier);
  }
}
