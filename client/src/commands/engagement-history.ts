import { printable } from "@sallyport/core/terminal-text.ts";
import type { Command } from "commander";
import type { Context } from "../context.ts";
import { changesText } from "../output/changes.ts";
import { isoTime, json } from "../output/json.ts";
import { localTime } from "../output/time.ts";
import { examples, numberOption, signedInApi } from "./command.ts";

/** `sallyport engagement history` */
export function registerEngagementHistory(engagement: Command, context: Context): void {
  engagement
    .command("history")
    .description("Every version of an engagement: when, by whom, why, and what changed.")
    .argument("<name>", "its name or id")
    .option("--limit <number>", "the newest, this many", numberOption("--limit", 1), 100)
    .option("--json", "as a JSON array")
    .addHelpText(
      "after",
      examples("sallyport engagement history acme-db", "sallyport engagement history acme-db --json"),
    )
    .action((name: string, options: { limit: number; json?: boolean }) => history(context, name, options));
}

async function history(
  context: Context,
  name: string,
  options: { limit: number; json?: boolean },
): Promise<void> {
  const versions = await signedInApi(context).api.engagementVersions(name, options.limit);
  if (options.json)
    return void context.stdout.write(json(versions.map((one) => ({ ...one, at: isoTime(one.at) }))));
  for (const { version, at, by, why, changes } of versions) {
    const reason = why === "" ? "" : `: ${printable(why)}`;
    context.stdout.write(
      `${version}  ${localTime(at)}  ${printable(by)}${reason}\n${changesText(changes, "   ")}`,
    );
  }
}
