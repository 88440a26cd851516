/** A time in seconds since the epoch, in the local time zone: `2026-11-02 14:05`. */
export function localTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((part) =>
    String(part).padStart(2, "0"),
  );
  const clock = [date.getHours(), date.getMinutes()].map((part) => String(part).padStart(2, "0"));
  return `${day.join("-")} ${clock.join(":")}`;
}

/** How far off a time is: `in 59 min`, `3 h ago`. */
export function fromNow(seconds: number, nowSeconds: number): string {
  const difference = seconds - nowSeconds;
  return difference >= 0 ? `in ${span(difference)}` : `${span(-difference)} ago`;
}

/** A length of time, rounded down to something a person reads at a glance: `45 s`, `59 min`, `3 h`, `12 days`. */
export function span(seconds: number): string {
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 120 * 60) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}
