import { createHash } from "node:crypto";

/** Follows the content of a file as long as it goes past from its first byte on, in order, without holes. */
export class ContentDigest {
  readonly #hash = createHash("sha256");
  #next = 0;
  #inOrder = true;

  /** How many bytes there were so far, in order. */
  get length(): number {
    return this.#next;
  }

  /** What comes by `add` stands at this offset of the file. */
  startAt(offset: number): void {
    if (offset !== this.#next) this.spoil();
  }

  add(bytes: Uint8Array): void {
    if (!this.#inOrder) return;
    this.#hash.update(bytes);
    this.#next += bytes.length;
  }

  /** What went past is not what is in the file. */
  spoil(): void {
    this.#inOrder = false;
  }

  /** Hexadecimal SHA-256, once; null where it was not in order. */
  finish(): string | null {
    return this.#inOrder ? this.#hash.digest("hex") : null;
  }
}
