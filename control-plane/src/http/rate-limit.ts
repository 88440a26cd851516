import { SallyportError } from "@sallyport/core/errors.ts";
import type { Clock } from "../environment.ts";

/** Callers remembered at once; when there are more, those that have all their tokens back are forgotten. */
const MAX_BUCKETS = 50_000;

/** A token bucket for each address, person or token. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #limit: { perSecond: number; burst: number };
  /** Whose requests they are, as the sentence says it. */
  readonly #whose: string;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(clock: Clock, limit: { perSecond: number; burst: number }, whose = "from your address") {
    this.#clock = clock;
    this.#limit = limit;
    this.#whose = whose;
  }

  /** Takes a token, or as many as something costs that is much work. Code `rate-limited`. */
  take(key: string, cost = 1): void {
    const { perSecond, burst } = this.#limit;
    const now = this.#clock();
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * perSecond);
    // More than there can ever be would be a refusal for good.
    const price = Math.min(cost, burst);
    if (tokens < price) {
      throw new SallyportError(
        "rate-limited",
        `Too many requests come ${this.#whose}. Wait a minute and try again.`,
      );
    }
    if (this.#buckets.size >= MAX_BUCKETS) this.#forgetFull(now);
    this.#buckets.set(key, { tokens: tokens - price, at: now });
  }

  #forgetFull(now: number): void {
    const fullAfter = (this.#limit.burst / this.#limit.perSecond) * 1000;
    for (const [key, { at }] of this.#buckets) if (now - at > fullAfter) this.#buckets.delete(key);
    if (this.#buckets.size >= MAX_BUCKETS) this.#buckets.clear();
  }
}
