/**
 * JSON for standard output. What a terminal might act on is escaped also where JSON does not ask for it, so that looking
 * at it is safe and parsing it gives the same.
 */
export function json(value: unknown): string {
  const text = JSON.stringify(value, undefined, 2);
  const escaped = text.replace(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `${escaped}\n`;
}

/** A time in seconds since the epoch as an ISO 8601 string, for JSON; null stays null. */
export function isoTime(seconds: number | null): string | null {
  return seconds === null ? null : new Date(seconds * 1000).toISOString();
}
