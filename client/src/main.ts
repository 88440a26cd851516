#!/usr/bin/env node
import { existsSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Context } from "./context.ts";

/*
 * The `sallyport` command. This file reads arguments, environment and clock, and wires; nothing else does. `ensure` runs
 * before every ssh, so it goes around the command-line parser, and compiled modules are cached in SALLYPORT_HOME.
 */

const home = resolve(process.env.SALLYPORT_HOME || join(homedir(), ".config", "sallyport"));
// Node would make a missing directory readable for others.
if (existsSync(home)) enableCompileCache(join(home, "cache"));

const { SALLYPORT_TOKEN: apiToken, ...env } = process.env;
delete process.env.SALLYPORT_TOKEN;

const context: Context = {
  home,
  userHome: process.env.HOME || homedir(),
  env,
  ...(apiToken === undefined || apiToken === "" ? {} : { apiToken }),
  uid: process.getuid?.() ?? 0,
  platform: process.platform,
  nodePath: process.execPath,
  mainPath: fileURLToPath(import.meta.url),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  ...(process.stdin.isTTY && process.stderr.isTTY ? { ask } : {}),
  now: Date.now,
};

async function ask(question: string): Promise<string> {
  const { createInterface } = await import("node:readline/promises");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await terminal.question(question);
  } finally {
    terminal.close();
  }
}

// `sallyport sessions | head`: the reader has seen enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

const [command, ...rest] = process.argv.slice(2);
if (command === "ensure") {
  const { ensure } = await import("./commands/ensure.ts");
  process.exitCode = await ensure(rest, context);
} else {
  const { run } = await import("./program.ts");
  process.exitCode = await run(process.argv.slice(2), context);
}
