import assert from "node:assert/strict";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { RefusedError } from "@sallyport/core/policy/refusal.ts";
import fc from "fast-check";

/** Cases of each property; more with the environment variable SALLYPORT_FUZZ_RUNS. */
export const RUNS: number = numberFrom("SALLYPORT_FUZZ_RUNS", 10_000);
/** Where the cases start from; others with SALLYPORT_FUZZ_SEED. Keys are fresh in every run, what is done to them is not. */
const SEED: number = numberFrom("SALLYPORT_FUZZ_SEED", 20261014);
/** No case, however strange, may keep a parser at work for this long. */
const LONGEST_MS = 10_000;

interface FuzzOptions {
  /** Cases, where a property does not get all of {@link RUNS}. */
  runs?: number;
  /** Milliseconds that one case may take. */
  longest?: number;
  /** Whether a smaller case is looked for when one fails. */
  shrink?: boolean;
}

let announced = false;

/** Runs a property, and says from which seed. A case that takes seconds is a failure: it hangs. */
export async function fuzz<T>(
  arbitrary: fc.Arbitrary<T>,
  property: (value: T) => Promise<void> | void,
  { runs = RUNS, longest = LONGEST_MS, shrink = true }: FuzzOptions = {},
): Promise<void> {
  if (!announced) console.log(`    fuzzing from seed ${SEED}, ${RUNS} cases of each property`);
  announced = true;
  const timed = async (value: T): Promise<void> => {
    const begun = performance.now();
    await property(value);
    const took = performance.now() - begun;
    assert.ok(took < longest, `took ${Math.round(took)} ms`);
  };
  await fc.assert(fc.asyncProperty(arbitrary, timed), {
    numRuns: Math.ceil(runs),
    seed: SEED,
    endOnFailure: !shrink,
  });
}

/** Mocha's limit for a suite of properties: it grows with what was asked for. */
export function timeLimit(runs: number = RUNS): number {
  return 120_000 + runs * 60;
}

/** The code of a refusal, or what came out. Any error that is not one of ours fails the case: it would be a crash. */
export async function refusalOr<T>(work: () => Promise<T> | T): Promise<{ code: string } | { value: T }> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof RefusedError) return { code: error.refusal.code };
    if (isSallyportError(error)) return { code: error.code };
    throw error;
  }
}

function numberFrom(name: string, otherwise: number): number {
  const text = process.env[name];
  if (text === undefined || text === "") return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name} is a whole number from 1 on`);
  return value;
}
