/** Writes items in batches: what comes while a batch is written makes the next one. */
export class Batches<T> {
  readonly #write: (items: T[]) => Promise<void>;
  readonly #failed: (error: unknown) => void;
  #items: T[] = [];
  #isWriting = false;

  constructor(write: (items: T[]) => Promise<void>, failed: (error: unknown) => void) {
    this.#write = write;
    this.#failed = failed;
  }

  add(item: T): void {
    this.#items.push(item);
    if (!this.#isWriting) void this.#work();
  }

  async #work(): Promise<void> {
    this.#isWriting = true;
    // One turn of the event loop, so that what comes together is written together.
    await new Promise(setImmediate);
    while (this.#items.length > 0) await this.#write(this.#items.splice(0)).catch(this.#failed);
    this.#isWriting = false;
  }
}
