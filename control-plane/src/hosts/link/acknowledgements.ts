/** Who waits for an answer that a host sends later. Answers that nobody waits for are dropped. */
export class Acknowledgements<T> {
  readonly #waiting = new Map<number, Set<(value: T | undefined) => void>>();

  /** The answer under `key`, or undefined after `timeoutMs` or when the link ends. */
  wait(key: number, timeoutMs: number): Promise<T | undefined> {
    return new Promise((resolve) => {
      const finish = (value: T | undefined) => {
        clearTimeout(timer);
        this.#forget(key, finish);
        resolve(value);
      };
      const timer = setTimeout(finish, timeoutMs, undefined);
      const waiting = this.#waiting.get(key);
      if (waiting === undefined) this.#waiting.set(key, new Set([finish]));
      else waiting.add(finish);
    });
  }

  /** Gives everybody who waits under `key`, or under a lower one with `orLower`, this answer. */
  resolve(key: number, value: T, options?: { orLower?: boolean }): void {
    for (const [waitingKey, waiting] of this.#waiting) {
      if (waitingKey !== key && !(options?.orLower === true && waitingKey < key)) continue;
      for (const finish of [...waiting]) finish(value);
    }
  }

  /** The link is gone: nobody waits any longer. */
  close(): void {
    for (const waiting of [...this.#waiting.values()]) for (const finish of [...waiting]) finish(undefined);
  }

  #forget(key: number, finish: (value: T | undefined) => void): void {
    const waiting = this.#waiting.get(key);
    waiting?.delete(finish);
    if (waiting?.size === 0) this.#waiting.delete(key);
  }
}
