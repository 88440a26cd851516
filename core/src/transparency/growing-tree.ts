import { nodeHash } from "./hashing.ts";
import { joinSubtrees, subtreesOf } from "./subtrees.ts";

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

  /** Appends a leaf by its hash. */
  append(leaf: Uint8Array): void {
    let hash = leaf;
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) {
      const left = this.#frontier.pop();
      if (left === undefined) throw new TypeError("a subtree is missing");
      hash = nodeHash(left, hash);
    }
    this.#frontier.push(hash);
    this.#size++;
  }

  root(): Uint8Array {
    return joinSubtrees(this.#frontier);
  }
}
