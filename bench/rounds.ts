import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Pair, Side } from "./pair.ts";
import type { Samples } from "./statistics.ts";

/** What one run of an ssh took, in milliseconds, and what it printed. */
export interface Run {
  /** From before its start until its end. */
  whole: number;
  /** From its first byte of output to its last. */
  transfer: number;
  output: Buffer[];
}

/**
 * Measures both sides `count` times. The order within a round is turned each time, so that drift, and whatever the one
 * run leaves for the next, hit both sides alike.
 */
export async function alternate(
  pair: Pair,
  count: number,
  measure: (side: Side) => Promise<number>,
): Promise<Samples> {
  const samples: Samples = { plain: [], sallyport: [] };
  for (let round = 0; round < count; round++) {
    const order = round % 2 === 0 ? [pair.plain, pair.sallyport] : [pair.sallyport, pair.plain];
    for (const side of order) samples[side.name].push(await measure(side));
  }
  return samples;
}

/** Runs an ssh to its end; throws when it fails. The output is only kept, so that reading it costs next to nothing. */
export async function timed(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<Run> {
  const [program = "", ...args] = argv;
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  let [first, last] = [0, 0];
  const begun = performance.now();
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.on("data", (chunk: Buffer) => {
    last = performance.now();
    first ||= last;
    output.push(chunk);
  });
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  const [status, signal] = (await once(child, "close")) as [number | null, string | null];
  const whole = performance.now() - begun;
  if (status !== 0)
    throw new Error(`${argv.join(" ")} ended with ${status ?? signal}: ${Buffer.concat(errors).toString()}`);
  return { whole, transfer: last - first, output };
}

/** Milliseconds that an ssh takes whose output goes to /dev/null: more than a process of ours should hold. */
export async function discarded(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [program = "", ...args] = argv;
  const begun = performance.now();
  const child = spawn(program, args, { env, stdio: ["ignore", "ignore", "inherit"] });
  const [status, signal] = (await once(child, "close")) as [number | null, string | null];
  if (status !== 0) throw new Error(`${argv.join(" ")} ended with ${status ?? signal}`);
  return performance.now() - begun;
}

/** SHA-256 of what an ssh prints. */
export async function digestOf(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const digest = createHash("sha256");
  for await (const chunk of child.stdout) digest.update(chunk as Buffer);
  return digest.digest("hex");
}
