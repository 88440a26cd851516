import { bootstrap, median, type Samples, type Statistic } from "./statistics.ts";

/** One line of the results. */
export interface Figure {
  bench: string;
  name: string;
  /** `ratio` and `difference` compare Sallyport with plain OpenSSH; `amount` and `rate` are Sallyport's alone. */
  kind: "ratio" | "difference" | "amount" | "rate";
  unit: "×" | "ms" | "s" | "MB" | "KB" | "%" | "sessions" | "/s" | "MB/s";
  measured: number;
  /** 95 % of the bootstrap's values lie between. */
  interval: [low: number, high: number] | null;
  /** At most this, of a `rate` at least; null where the figure is for information. */
  target: number | null;
  /** Milliseconds of each side that `measured` was made from. */
  plain: number | null;
  sallyport: number | null;
  /** Runs of each side. */
  runs: number;
}

interface Comparison {
  bench: string;
  name: string;
  samples: Samples;
  target?: number;
  statistic?: Statistic;
}

/** Sallyport's time divided by plain OpenSSH's. */
export function ratio(comparison: Comparison): Figure {
  return { ...compared(comparison, (plain, sallyport) => sallyport / plain), kind: "ratio", unit: "×" };
}

/** Sallyport's milliseconds minus plain OpenSSH's. */
export function difference(comparison: Comparison): Figure {
  return { ...compared(comparison, (plain, sallyport) => sallyport - plain), kind: "difference", unit: "ms" };
}

/** A number that has no plain counterpart. */
export function amount(
  bench: string,
  name: string,
  unit: Figure["unit"],
  measured: number,
  target: number | null = null,
): Figure {
  const alone = { kind: "amount", interval: null, plain: null, sallyport: null, runs: 1 } as const;
  return { bench, name, unit, measured, target, ...alone };
}

/** So much in a second: the more the better. */
export function rate(
  bench: string,
  name: string,
  unit: Figure["unit"],
  measured: number,
  target: number | null = null,
): Figure {
  return { ...amount(bench, name, unit, measured, target), kind: "rate" };
}

/** Whether the target was reached; empty where there is none. */
export function verdict(figure: Figure): "met" | "not met" | "" {
  if (figure.target === null) return "";
  const isMet = figure.kind === "rate" ? figure.measured >= figure.target : figure.measured <= figure.target;
  return isMet ? "met" : "not met";
}

function compared(comparison: Comparison, compare: (plain: number, sallyport: number) => number) {
  const { bench, name, samples, target = null, statistic = median } = comparison;
  const plain = statistic(samples.plain);
  const sallyport = statistic(samples.sallyport);
  const measured = compare(plain, sallyport);
  const interval = bootstrap(samples, compare, statistic);
  return { bench, name, measured, interval, target, plain, sallyport, runs: samples.plain.length };
}
