import type { EndRecord } from "@sallyport/core/recording/frame.ts";

/** A session is warned this long before a limit ends it, in seconds; less where the limit itself is shorter. */
const WARN_BEFORE = 60;

/** What a limit wants done now. */
export type LimitVerdict =
  | { act: "warn"; text: string }
  | { act: "end"; reason: Extract<EndRecord["reason"], "idle" | "too-long">; detail: string; text: string };

/**
 * Watches how long a session lasts and how long nobody has done anything in it. Kept by the recorder, so that limits
 * hold while the agent is away. Times in milliseconds of a clock that never goes back; limits in seconds, null for none.
 */
export class SessionLimitWatch {
  readonly #idle: number | null;
  readonly #longest: number | null;
  readonly #began: number;
  #lastInput: number;
  #warnedIdle = false;
  #warnedLongest = false;

  constructor(limits: { idle: number | null; longest: number | null }, began: number) {
    this.#idle = limits.idle;
    this.#longest = limits.longest;
    this.#began = began;
    this.#lastInput = began;
  }

  /** Somebody did something. */
  touch(now: number): void {
    this.#lastInput = now;
    this.#warnedIdle = false;
  }

  /** What is due; each warning is given once. */
  look(now: number): LimitVerdict | null {
    return this.#lookAtLength(now) ?? this.#lookAtIdleness(now);
  }

  #lookAtLength(now: number): LimitVerdict | null {
    if (this.#longest === null) return null;
    const left = this.#longest - (now - this.#began) / 1000;
    const allowed = inWords(this.#longest);
    if (left <= 0) {
      const text = `\nsallyport: This session has lasted ${allowed}, as long as its engagement allows. It ends now.\n`;
      return { act: "end", reason: "too-long", detail: `longest ${this.#longest} s`, text };
    }
    if (this.#warnedLongest || left > warnAt(this.#longest)) return null;
    this.#warnedLongest = true;
    const text = `\nsallyport: This session ends in ${inWords(Math.ceil(left))}: it may last ${allowed}.\n`;
    return { act: "warn", text };
  }

  #lookAtIdleness(now: number): LimitVerdict | null {
    if (this.#idle === null) return null;
    const left = this.#idle - (now - this.#lastInput) / 1000;
    const allowed = inWords(this.#idle);
    if (left <= 0) {
      const text = `\nsallyport: Nothing was typed for ${allowed}. This session ends now.\n`;
      return { act: "end", reason: "idle", detail: `idle for ${this.#idle} s`, text };
    }
    if (this.#warnedIdle || left > warnAt(this.#idle)) return null;
    this.#warnedIdle = true;
    const text = `\nsallyport: This session ends in ${inWords(Math.ceil(left))} unless you type something.\n`;
    return { act: "warn", text };
  }
}

function warnAt(limit: number): number {
  return Math.min(WARN_BEFORE, limit / 3);
}

function inWords(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 6) / 10} h`;
}
