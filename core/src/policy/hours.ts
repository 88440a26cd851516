import type { Hours, Weekday } from "./engagement.ts";

const formats = new Map<string, Intl.DateTimeFormat>();

/** True when `now` (seconds since the epoch) falls in one of the weekly windows, in their time zone. `to` is exclusive. */
export function withinHours(hours: Hours, now: number): boolean {
  const { day, minute } = localTime(hours.timeZone, now);
  return hours.windows.some(
    (window) =>
      window.days.includes(day) && minute >= minutesOf(window.from) && minute < minutesOf(window.to),
  );
}

/** When the window that holds `now` closes, in seconds since the epoch; null when `now` is in none. */
export function closingTime(hours: Hours, now: number): number | null {
  if (!withinHours(hours, now)) return null;
  // Windows may touch and time zones may jump: walk minute by minute to the first one outside, at most a week ahead.
  const start = Math.floor(now / 60) * 60;
  for (let minute = 1; minute <= 7 * 24 * 60; minute++) {
    if (!withinHours(hours, start + minute * 60)) return start + minute * 60;
  }
  return null;
}

function localTime(timeZone: string, now: number): { day: Weekday; minute: number } {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-GB", {
      timeZone,
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
    formats.set(timeZone, format);
  }
  const parts = Object.fromEntries(format.formatToParts(now * 1000).map((part) => [part.type, part.value]));
  return {
    day: String(parts.weekday).toLowerCase() as Weekday,
    minute: Number(parts.hour) * 60 + Number(parts.minute),
  };
}

function minutesOf(clock: string): number {
  const [hour = "0", minute = "0"] = clock.split(":");
  return Number(hour) * 60 + Number(minute);
}
