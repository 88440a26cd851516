/** Lets so many at once run, the others in their order; what is named alike and waits or runs is not taken twice. */
export class AtOnce {
  readonly #most: number;
  readonly #names = new Map<string, Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** How many run. */
  get running(): number {
    return this.#running;
  }

  /** How many run or wait. */
  get size(): number {
    return this.#names.size;
  }

  /** Runs `work` when there is room; settles as it does. */
  add(name: string, work: () => Promise<void>): Promise<void> {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const done = this.#run(work).finally(() => this.#names.delete(name));
    this.#names.set(name, done);
    done.catch(() => {}); // told to whoever awaits it
    return done;
  }

  async #run(work: () => Promise<void>): Promise<void> {
    if (this.#running < this.#most) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
