interface Waiting<Asked, Made> {
  asked: Asked;
  resolve(made: Made | Promise<Made>): void;
  reject(error: unknown): void;
}

/**
 * Answers many who ask at once from one piece of work: whoever asks is answered by what begins after that, and who asks meanwhile,
 * by the next.
 */
export class InTurns<Asked, Made> {
  readonly #make: (asked: readonly Asked[]) => Promise<Promise<Made>[]>;
  readonly #atOnce: number;
  readonly #waiting: Waiting<Asked, Made>[] = [];
  #isWorking = false;

  /** `make` gives an answer to each of those who ask, `atOnce` of them at most. */
  constructor(make: (asked: readonly Asked[]) => Promise<Promise<Made>[]>, atOnce: number) {
    this.#make = make;
    this.#atOnce = atOnce;
  }

  /** Rejects when the work for all who asked together fails, or this one's own part of it. */
  ask(asked: Asked): Promise<Made> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ asked, resolve, reject });
      if (!this.#isWorking) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    while (this.#waiting.length > 0) {
      await new Promise(setImmediate);
      const together = this.#waiting.splice(0, this.#atOnce);
      try {
        const made = await this.#make(together.map(({ asked }) => asked));
        for (const [index, { resolve }] of together.entries()) resolve(made[index] as Promise<Made>);
        await Promise.allSettled(made);
      } catch (error) {
        for (const { reject } of together) reject(error);
      }
    }
    this.#isWorking = false;
  }
}
