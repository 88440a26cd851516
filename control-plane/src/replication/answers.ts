/** Waits for what other replicas write into the database. */
export class Answers {
  readonly #waiting = new Set<() => void>();

  /** Something new may be there to be read. */
  wake(): void {
    for (const look of [...this.#waiting]) look();
  }

  /**
   * Calls `look` now, at every {@link wake} and from time to time, until it gives true; resolves after `timeoutMs` at the
   * latest.
   */
  async until(look: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const end = performance.now() + timeoutMs;
    for (;;) {
      const woken = this.#next(Math.min(POLL, end - performance.now()));
      if (await look()) return;
      if (performance.now() >= end) return;
      await woken;
    }
  }

  #next(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(0, timeoutMs));
      this.#waiting.add(done);
    });
  }
}

/** For a notification that was lost, in milliseconds. */
const POLL = 300;
