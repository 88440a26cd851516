/** Runs of the two sides; index i of both was measured in the same round. */
export interface Samples {
  plain: number[];
  sallyport: number[];
}

/** Reduces the runs of one side to one number. */
export type Statistic = (values: readonly number[]) => number;

const RESAMPLES = 2000;

/** The value below which this share of the values lies, interpolated between neighbours. */
function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/** Half of the values lie below. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** One value in a hundred lies above. */
export function p99(values: readonly number[]): number {
  return quantile(values, 0.99);
}

/**
 * A 95 % interval by the percentile bootstrap. Whole rounds are drawn, not single runs: what disturbed the machine in a
 * round disturbed both of its runs.
 */
export function bootstrap(
  samples: Samples,
  compare: (plain: number, sallyport: number) => number,
  statistic: Statistic = median,
): [low: number, high: number] {
  const random = randomFrom(20_261_101);
  const rounds = Math.min(samples.plain.length, samples.sallyport.length);
  const drawn = Array.from({ length: RESAMPLES }, () => {
    const picks = Array.from({ length: rounds }, () => Math.floor(random() * rounds));
    const take = (values: readonly number[]) => statistic(picks.map((index) => values[index] ?? Number.NaN));
    return compare(take(samples.plain), take(samples.sallyport));
  });
  return [quantile(drawn, 0.025), quantile(drawn, 0.975)];
}

/** Numbers in [0, 1) that are the same in every run (mulberry32), so that nothing but the machine differs. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
