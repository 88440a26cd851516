import type { Command } from "commander";
import { readConfigFile } from "../config/load-configuration.ts";
import { checkConfiguration } from "../setup/check-configuration.ts";
import { describeServing } from "../setup/describe-serving.ts";
import { addCommand, type CommandContext, examples } from "./command.ts";

/** `check-config` */
export function registerCheckConfig(program: Command, context: CommandContext): void {
  addCommand(program, "check-config")
    .summary("say what is wrong with a configuration, or what it serves")
    .description(
      "Reads a configuration as the service would, with the files that it names, and prints what will be served; or says what is wrong, by file, line and column. Starts nothing and asks no IdP.",
    )
    .addHelpText("after", examples("check-config --config new.yaml", "check-config"))
    .action(({ config: file }: { config: string }) => {
      const config = checkConfiguration(readConfigFile(file), file);
      for (const line of describeServing(config, context)) context.stdout.write(`${line}\n`);
    });
}
