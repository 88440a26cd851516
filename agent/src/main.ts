#!/usr/bin/env node
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";

/*
 * The `sallyport-agent` command. This file reads arguments, environment and clock, and wires; nothing else does. A
 * recorder, of which there is one per core, goes around the command-line parser: it would only take memory there.
 */

/** The package's own, which its build puts here; from the sources that of package.json. */
declare const SALLYPORT_VERSION: string | undefined;
const VERSION = typeof SALLYPORT_VERSION === "string" ? SALLYPORT_VERSION : "0.1.0";
const MAIN = fileURLToPath(import.meta.url);
const args = process.argv.slice(2);
const [command, configOption, config, idOption, id] = args;

// `sallyport-agent status | head`: the reader has seen enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
});

if (command === "recorder" && configOption === "--config" && config && idOption === "--id" && id) {
  const { recorderCommand } = await import("./commands/recorder.ts");
  recorderCommand({ config, id, version: VERSION });
} else {
  // An agent is small and always there: a young generation of 1 MB instead of 16 saves more memory than it costs time.
  setFlagsFromString("--max-semi-space-size=1");
  const { run } = await import("./program.ts");
  process.exitCode = await run(args, {
    version: VERSION,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    self: (further) => [process.execPath, [MAIN, ...further]],
    now: () => Date.now() / 1000,
  });
}
