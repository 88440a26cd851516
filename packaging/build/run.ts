import { spawnSync } from "node:child_process";

/** Runs a program to its end and returns what it printed; throws with what it complained of. */
export function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    env,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined)
    throw new Error(`${program} cannot be run (${error.message}). Is it installed?`, { cause: error });
  if (status !== 0) throw new Error(`${program} ${args[0] ?? ""} failed: ${stderr.trim() || stdout.trim()}`);
  return stdout;
}
