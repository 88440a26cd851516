import { CLOCK_SKEW } from "@sallyport/core/admission/id-token.ts";
import type { SetClaims } from "./decode-set.ts";

/** From here on it must be milliseconds, as in drafts of CAEP and from those who follow them; in seconds it would be the year 5138. */
const MILLISECONDS = 1e11;

/**
 * When an event happened, in seconds by the IdP's clock: `event_timestamp` of CAEP, else `toe` (RFC 8417 §2.2), else `iat`. What
 * an event ends is what was signed in for by then: a token that is late must not end the sign-in that came after it. Both times are
 * of the IdP's clock (the sign-in's is `iat` of its ID token), so ours does not matter.
 *
 * A time that cannot be is not believed, and `iat` counts, which is later and ends more: after the token was issued, or more than
 * `maxAge` before that. Otherwise a unit that somebody got wrong would make every event come to nothing.
 */
export function eventTime({ iat, toe }: SetClaims, event: Record<string, unknown>, maxAge: number): number {
  const told = plausible(event.event_timestamp) ?? toe;
  if (told === undefined || told > iat + CLOCK_SKEW || told < iat - maxAge) return Math.floor(iat);
  return Math.floor(told);
}

function plausible(value: unknown): number | undefined {
  if (typeof value !== "number" || !Number.isFinite(value) || value <= 0) return undefined;
  return value > MILLISECONDS ? value / 1000 : value;
}
