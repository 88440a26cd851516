import type { Hours } from "@sallyport/core/policy/engagement.ts";

/** True when every window of `inner` lies within one of `outer`, day by day, in the same time zone. */
export function coversHours(outer: Hours, inner: Hours): boolean {
  if (outer.timeZone !== inner.timeZone) return false;
  return inner.windows.every(({ days, from, to }) =>
    days.every((day) =>
      outer.windows.some((window) => window.days.includes(day) && window.from <= from && window.to >= to),
    ),
  );
}
