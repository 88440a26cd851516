import type { Hours, Weekday } from "./engagement.ts";

const DAY_MINUTES = 24 * 60;
const DAY = DAY_MINUTES * 60;
const formats = new Map<string, Intl.DateTimeFormat>();

/** True when `now` (seconds since the epoch) falls in one of the weekly windows, in their time zone. `to` is exclusive. */
export function withinHours(hours: Hours, now: number): boolean {
  const { day, minute } = localTime(hours.timeZone, now);
  return hours.windows.some(
    (window) =>
      window.days.includes(day) && minute >= minutesOf(window.from) && minute < minutesOf(window.to),
  );
}

/**
 * When the window that holds `now` closes, in seconds since the epoch. Null when `now` is in none, and when none closes
 * within a week.
 */
export function closingTime(hours: Hours, now: number): number | null {
  let time = Math.floor(now / 60) * 60;
  if (!withinHours(hours, time)) return null;
  // Windows may touch or overlap: go from one's end to the next one's, until outside.
  for (const limit = time + 7 * DAY; time <= limit; ) {
    time = endOfWindow(hours, time);
    if (!withinHours(hours, time)) return time;
  }
  return null;
}

/** When the windows that hold `time` end; sooner where a change of the clock ends them. */
function endOfWindow(hours: Hours, time: number): number {
  const { day, minute } = localTime(hours.timeZone, time);
  const ends = hours.windows
    .filter((window) => window.days.includes(day))
    .map((window) => ({ from: minutesOf(window.from), to: minutesOf(window.to) }))
    .filter(({ from, to }) => minute >= from && minute < to);
  const to = Math.max(...ends.map((window) => window.to));
  const end = time + (to - minute) * 60;
  const there = localTime(hours.timeZone, end);
  const sameDay = there.day === day ? 0 : DAY_MINUTES;
  if (there.minute + sameDay === to) return end;
  // The clock was changed on the way, which happens twice a year: walk.
  for (let walked = time + 60; walked < end; walked += 60) {
    if (!withinHours(hours, walked)) return walked;
  }
  return end;
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
