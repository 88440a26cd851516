import { setTimeout as pause } from "node:timers/promises";
import { amount, type Figure } from "./figure.ts";
import type { Pair } from "./pair.ts";
import { memory, processorTime, type Resident, residents } from "./processes.ts";

const REST_MS = 20_000;
/** After the last session: what is done once at its end is not rest. */
const SETTLE_MS = 3_000;
/** Of the agent: per cent of one core, and MB. */
const TARGET = 0.1;
const TARGET_MB = 80;

/** What agent, recorders and control plane use while nobody is logged in. */
export async function benchRest(pair: Pair): Promise<Figure[]> {
  await pair.quiet();
  await pause(SETTLE_MS);
  const all = residents(pair.world);
  const before = all.map(({ pid }) => processorTime(pid));
  const begun = performance.now();
  await pause(REST_MS);
  const elapsed = performance.now() - begun;
  const shares = all.map(({ pid }, index) => ((processorTime(pid) - (before[index] ?? 0)) / elapsed) * 100);
  const total = shares.reduce((sum, share) => sum + share, 0);
  return [
    amount("rest", "processor time of all, of one core", "%", total),
    ...all.map((one, index) =>
      amount("rest", `  ${label(one, all)}`, "%", shares[index] ?? 0, one.role === "agent" ? TARGET : null),
    ),
    ...all.flatMap((one) => {
      const { rss, pss } = memory(one.pid);
      return [
        amount("rest", `${label(one, all)}, resident set`, "MB", rss),
        amount(
          "rest",
          `${label(one, all)}, proportional set`,
          "MB",
          pss,
          one.role === "agent" ? TARGET_MB : null,
        ),
      ];
    }),
  ];
}

function label(one: Resident, all: readonly Resident[]): string {
  const alike = all.filter((other) => other.role === one.role);
  return alike.length === 1 ? one.role : `${one.role} ${alike.indexOf(one) + 1}`;
}
