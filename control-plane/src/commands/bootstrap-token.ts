import { SallyportError } from "@sallyport/core/errors.ts";
import type { Command } from "commander";
import { loadConfiguration } from "../config/load-configuration.ts";
import { makeBootstrapToken } from "../issuance/api-token.ts";
import { PROGRAM_NAME } from "../program-name.ts";
import { addCommand, type CommandContext, withStore } from "./command.ts";

interface Options {
  config: string;
  force?: boolean;
}

/** `bootstrap-token` */
export function registerBootstrapToken(program: Command, context: CommandContext): void {
  addCommand(program, "bootstrap-token")
    .summary("print an admin's API token, before anybody can sign in")
    .description(
      "Prints an API token with the permissions of an admin for one hour, for setting up before anybody can sign in. Not when the configuration names staff, but for --force. Who uses it has it in SALLYPORT_TOKEN.",
    )
    .option("--force", "also when the configuration names staff")
    .addHelpText(
      "after",
      `\nExamples:\n  SALLYPORT_TOKEN=$(${PROGRAM_NAME} bootstrap-token --config FILE) \\\n      SALLYPORT_SERVER=https://sallyport.example.com sallyport apply -f policy.yaml`,
    )
    .action((options: Options) => bootstrapToken(context, options));
}

async function bootstrapToken(context: CommandContext, { config: file, force }: Options): Promise<void> {
  const { staff, staffGroups } = loadConfiguration(file);
  if (staff.length + staffGroups.length > 0 && !force)
    throw new SallyportError(
      "usage",
      "The configuration names staff: sign in as one of them with `sallyport login`, or add --force where nobody can.",
    );
  const { environment, stdout, stderr } = context;
  const { token, expiresAt } = await withStore(context, file, ({ url }, { db }) =>
    makeBootstrapToken({ db, environment }, url),
  );
  stderr.write(`Good until ${new Date(expiresAt * 1000).toISOString()}. It is shown only now.\n`);
  stdout.write(`${token}\n`);
}
