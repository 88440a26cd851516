import { format, type Logform } from "winston";

/** Within this time a warning or error that says the same again is only counted. */
const QUIET_MS = 60_000;
const MAX_KNOWN = 500;

interface Known {
  since: number;
  withheld: number;
}

/**
 * A winston format that keeps a trouble which lasts from filling the log's disk: of warnings and errors that are the
 * same but for their time, one a minute is written; `repeated` says how many were not. `now` is in milliseconds.
 */
export function withoutRepeats(now: () => number = Date.now): Logform.Format {
  const known = new Map<string, Known>();
  return format((info) => {
    if (info.level !== "warn" && info.level !== "error") return info;
    const { timestamp: _, ...said } = info;
    const key = JSON.stringify(said);
    const before = known.get(key);
    if (before !== undefined && now() - before.since < QUIET_MS) {
      before.withheld++;
      return false;
    }
    known.delete(key);
    known.set(key, { since: now(), withheld: 0 });
    const [oldest] = known.keys();
    if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
    return before === undefined || before.withheld === 0 ? info : { ...info, repeated: before.withheld };
  })();
}
