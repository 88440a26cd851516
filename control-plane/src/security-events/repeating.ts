import type { Environment } from "../environment.ts";
import { errorFields } from "../log.ts";

const FIRST_PAUSE_MS = 1000;

/** Work that is done again and again. */
export interface Repeated {
  /** For the log. */
  name: string;
  fields: Record<string, unknown>;
  /** Does it once; resolves to the pause until the next time, in milliseconds. `signal` ends it early. */
  turn(signal: AbortSignal): Promise<number>;
  /** Longest pause between attempts after failures, in milliseconds. */
  longestPause: number;
  /** Told of every failure; what it throws is left at that. */
  onFailure(error: unknown): Promise<void>;
}

/** Repeats work until it is closed: after failures with growing pauses, so that many who fail at once do not come back at once. */
export class Repeating {
  readonly #environment: Pick<Environment, "log" | "random">;
  readonly #repeated: Repeated;
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();
  #failures = 0;

  constructor(environment: Pick<Environment, "log" | "random">, repeated: Repeated) {
    this.#environment = environment;
    this.#repeated = repeated;
  }

  start(): void {
    this.#working = this.#run();
  }

  /** Resolves when nothing is being done any more. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#timer);
    await this.#working;
  }

  async #run(): Promise<void> {
    const { log } = this.#environment;
    const { name, fields, turn } = this.#repeated;
    let pause: number;
    try {
      pause = await turn(this.#closing.signal);
      if (this.#failures > 0) log.info(`${name} goes on`, fields);
      this.#failures = 0;
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      // Said when it begins, not with every attempt.
      if (this.#failures === 0) log.error(`${name} fails`, { ...fields, ...errorFields(error) });
      this.#failures += 1;
      await this.#repeated.onFailure(error).catch(() => {});
      pause = this.#pauseAfterFailure();
    }
    if (this.#closing.signal.aborted) return;
    this.#timer = setTimeout(() => this.start(), pause);
    this.#timer.unref();
  }

  #pauseAfterFailure(): number {
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), this.#repeated.longestPause);
    const [chance = 0] = this.#environment.random(1);
    return longest * (0.5 + chance / 512);
  }
}
