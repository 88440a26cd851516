const BYTES = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Bytes with the unit that leaves one to four digits before the point. */
export function bytesText(bytes: number): string {
  const step = bytes < 1024 ? 0 : Math.min(BYTES.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** step;
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${BYTES[step]}`;
}

/** A span in seconds with its two largest units: `45 s`, `9 min 5 s`, `3 h 20 min`, `12 d 4 h`. */
export function spanText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [days, hours, minutes, rest] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  if (days > 0) return `${days} d${hours > 0 ? ` ${hours} h` : ""}`;
  if (hours > 0) return `${hours} h${minutes > 0 ? ` ${minutes} min` : ""}`;
  if (minutes > 0) return `${minutes} min${rest > 0 ? ` ${rest} s` : ""}`;
  return `${rest} s`;
}

/** A count with its noun: `1 session`, `2 sessions`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
