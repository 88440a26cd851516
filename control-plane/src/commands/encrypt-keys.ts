import { join } from "node:path";
import type { Command } from "commander";
import { loadConfiguration } from "../config/load-configuration.ts";
import { encryptKeys } from "../keys/encrypt-keys.ts";
import { readPassphrase } from "../keys/passphrase.ts";
import { PROGRAM_NAME } from "../program-name.ts";
import { becomeOwner } from "../setup/service-user.ts";
import { addCommand, type CommandContext } from "./command.ts";

/** `encrypt-keys` */
export function registerEncryptKeys(program: Command, context: CommandContext): void {
  addCommand(program, "encrypt-keys")
    .summary("encrypt the key files by a passphrase")
    .description(
      "Encrypts the key files in the data directory by the passphrase, and prints which. Every command needs the passphrase then.",
    )
    .addHelpText(
      "after",
      `\nExamples:\n  SALLYPORT_KEYS_PASSPHRASE_FILE=/root/passphrase ${PROGRAM_NAME} encrypt-keys \\\n      --config /etc/sallyport/control-plane.yaml`,
    )
    .action(({ config }: { config: string }) => encrypt(context, config));
}

function encrypt({ variables, stdout, stderr }: CommandContext, file: string): void {
  const { dataDirectory } = loadConfiguration(file);
  const directory = join(dataDirectory, "keys");
  const passphrase = readPassphrase(variables);
  becomeOwner(dataDirectory);
  const files = encryptKeys(directory, passphrase);
  for (const each of files) stdout.write(`${each}\n`);
  if (files.length === 0) stderr.write(`Nothing to do: every key file in ${directory} is encrypted.\n`);
}
