import type { Command } from "commander";
import type { Configuration } from "../config/configuration.ts";
import { loadConfiguration } from "../config/load-configuration.ts";
import type { Environment } from "../environment.ts";
import { readPassphrase } from "../keys/passphrase.ts";
import { PROGRAM_NAME } from "../program-name.ts";
import { becomeOwner } from "../setup/service-user.ts";
import { openStore, type Store } from "../store.ts";

interface Output {
  write(text: string): unknown;
  /** True for a terminal. */
  isTTY?: boolean;
}

/** Where the package has its configuration. */
export const DEFAULT_CONFIGURATION = "/etc/sallyport/control-plane.yaml";

/** What a command has of the process that it runs in. */
export interface CommandContext {
  environment: Environment;
  /** Of a PostgreSQL database; undefined for SQLite. It holds a password, so it is no longer among `variables`. */
  databaseUrl: string | undefined;
  /** The environment variables that the process was started with, but for `databaseUrl`. */
  variables: Readonly<Record<string, string | undefined>>;
  /** For data. */
  stdout: Output;
  /** For people. */
  stderr: Output;
  /** What is typed; undefined where nobody is asked. */
  stdin?: (NodeJS.ReadableStream & { isTTY?: boolean }) | undefined;
}

/** A command with the option that all of them have; `name` is its first word. */
export function addCommand(program: Command, name: string): Command {
  return program
    .command(name)
    .option("--config <file>", "the control plane's configuration", DEFAULT_CONFIGURATION);
}

/** Examples under a command's `--help`, each what comes after the program's name. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${PROGRAM_NAME} ${line}`).join("\n")}`;
}

/** Runs `work` on the store of the configuration in `file`, and closes it. */
export async function withStore<T>(
  context: CommandContext,
  file: string,
  work: (config: Readonly<Configuration>, store: Store) => Promise<T>,
): Promise<T> {
  const config = loadConfiguration(file);
  const { databaseUrl, variables } = context;
  const passphrase = readPassphrase(variables);
  becomeOwner(config.dataDirectory);
  const store = await openStore({ config, databaseUrl, passphrase });
  try {
    return await work(config, store);
  } finally {
    await store.db.destroy();
  }
}
