import { SallyportError } from "@sallyport/core/errors.ts";
import type { Clock } from "../environment.ts";

/** Addresses remembered at once; when there are more, those that have all their tokens back are forgotten. */
const MAX_ADDRESSES = 50_000;

/** A token bucket per client address. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #limit: { perSecond: number; burst: number };
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(clock: Clock, limit: { perSecond: number; burst: number }) {
    this.#clock = clock;
    this.#limit = limit;
  }

  /** Takes one token. Code `rate-limited`. */
  take(address: string): void {
    const { perSecond, burst } = this.#limit;
    const now = this.#clock();
    const bucket = this.#buckets.get(address) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * perSecond);
    if (tokens < 1) {
      throw new SallyportError(
        "rate-limited",
        "Too many requests come from your address. Wait a minute and try again.",
      );
    }
    if (this.#buckets.size >= MAX_ADDRESSES) this.#forgetFull(now);
    this.#buckets.set(address, { tokens: tokens - 1, at: now });
  }

  #forgetFull(now: number): void {
    const fullAfter = (this.#limit.burst / this.#limit.perSecond) * 1000;
    for (const [address, { at }] of this.#buckets) if (now - at > fullAfter) this.#buckets.delete(address);
    if (this.#buckets.size >= MAX_ADDRESSES) this.#buckets.clear();
  }
}
