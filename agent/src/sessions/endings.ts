import type { ProcessIdentity } from "../kernel/processes.ts";

/** The connections that are being ended: whoever wants one ended that somebody else is ending already waits for that. */
export class Endings {
  readonly #running = new Map<string, Promise<void>>();

  /** Ends a connection by `end`, or waits for the one that is at it; resolves when nothing of it runs any more. */
  of(monitor: ProcessIdentity, end: () => Promise<void>): Promise<void> {
    const key = `${monitor.pid}-${monitor.startTime}`;
    const running = this.#running.get(key) ?? end().finally(() => this.#running.delete(key));
    this.#running.set(key, running);
    return running;
  }

  /** Resolves when all that were begun by now are over, whoever began them. */
  async over(): Promise<void> {
    await Promise.all(this.#running.values());
  }
}
