import { join } from "node:path";
import type { Command } from "commander";
import { audit } from "../audit/audit.ts";
import { loadConfiguration } from "../config/load-configuration.ts";
import { openDatabase } from "../database/open-database.ts";
import { renewGrantSealing } from "../keys/grant-sealing.ts";
import { readPassphrase } from "../keys/passphrase.ts";
import { becomeOwner } from "../setup/service-user.ts";
import { addCommand, type CommandContext, examples } from "./command.ts";

/** `renew-grant-key` */
export function registerRenewGrantKey(program: Command, context: CommandContext): void {
  addCommand(program, "renew-grant-key")
    .summary("make another key that stored refresh tokens are encrypted with")
    .description(
      "Makes another key that the refresh tokens of sign-ins are encrypted with, in a file of its own, for when the old one may be known or is lost. Tokens of a key that is not there are lost: their owners sign in again. Stop the control plane before, and give all replicas the new file.",
    )
    .addHelpText("after", examples("renew-grant-key --config /etc/sallyport/control-plane.yaml"))
    .action(({ config }: { config: string }) => renew(context, config));
}

/** Not on an open store: that needs the key which may be lost. */
async function renew(
  { environment, databaseUrl, variables, stderr }: CommandContext,
  file: string,
): Promise<void> {
  const { dataDirectory } = loadConfiguration(file);
  const passphrase = readPassphrase(variables);
  becomeOwner(dataDirectory);
  const db = await openDatabase(databaseUrl ?? join(dataDirectory, "sallyport.db"));
  try {
    const now = environment.clock();
    const lost = await renewGrantSealing(db, join(dataDirectory, "keys"), { now, passphrase });
    const data = { key: "refresh-tokens", lost };
    await audit(db, environment, { type: "grant-key-renewed", actor: "command line", data });
    stderr.write(
      `Start the control plane: it encrypts refresh tokens with the new key.${lost === 0 ? "" : ` ${lost} that no key here opens are lost; whose they are signs in again.`}\n`,
    );
  } finally {
    await db.destroy();
  }
}
