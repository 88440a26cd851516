import { spawnSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const SOURCES = join(import.meta.dirname, "../../../../agent/shim");

/** A shim with address and undefined-behaviour sanitizers, and where they tell what they found. */
export interface SanitizedShim {
  path: string;
  env: Record<string, string>;
  /** What the sanitizers found since the build. */
  findings(): string;
}

/** Builds the shim, with sanitizers, from a copy of its sources; its agent's sockets are in `runDirectory`. */
export function buildShim(runDirectory: string, buildDirectory: string): SanitizedShim {
  cpSync(SOURCES, buildDirectory, { recursive: true });
  const goal = "sallyport-shim-sanitized";
  const made = spawnSync("make", ["-s", "-B", "-C", buildDirectory, goal, `RUN_DIRECTORY=${runDirectory}`], {
    encoding: "utf8",
  });
  if (made.status !== 0) throw new Error(`the shim does not build: ${made.stderr}`);
  const log = join(buildDirectory, "finding");
  return {
    path: join(buildDirectory, goal),
    // The shim leaves memory to exit(2), as it should.
    env: {
      ASAN_OPTIONS: `detect_leaks=0:log_path=${log}`,
      UBSAN_OPTIONS: `log_path=${log}:print_stacktrace=1`,
    },
    findings: () =>
      readdirSync(buildDirectory)
        .filter((name) => name.startsWith("finding"))
        .map((name) => readFileSync(join(buildDirectory, name), "utf8"))
        .join("\n"),
  };
}
