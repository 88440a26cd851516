import { SallyportError } from "@sallyport/core/errors.ts";

/** `key=value` options as a record. Code `usage`. */
export function labelsOf(options: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    options.map((option) => {
      const at = option.indexOf("=");
      if (at < 1)
        throw new SallyportError("usage", `--label takes KEY=VALUE, not ${JSON.stringify(option)}.`);
      return [option.slice(0, at), option.slice(at + 1)] as const;
    }),
  );
}

/** A moment as people write it, in seconds since the epoch. Code `usage`. */
export function momentOf(text: string): number {
  const isTime = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text);
  const time = isTime ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return Math.floor(time / 1000);
  throw new SallyportError(
    "usage",
    `--at takes a time like 2026-11-02T09:00:00Z, or a date (midnight UTC), not ${JSON.stringify(text)}.`,
  );
}
