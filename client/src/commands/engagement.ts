import { SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Command } from "commander";
import type { Engagement } from "../api/control-plane.ts";
import { type Context, nowSeconds } from "../context.ts";
import { acknowledgementText } from "../output/changes.ts";
import { graceLines, grantLines } from "../output/grants.ts";
import { isoTime, json } from "../output/json.ts";
import { columnsOf } from "../output/table.ts";
import { fromNow, localTime } from "../output/time.ts";
import { engagementTable } from "../output/who.ts";
import { examples, refuseNames, signedInApi } from "./command.ts";
import { registerEngagementChanges } from "./engagement-change.ts";
import { registerEngagementHistory } from "./engagement-history.ts";

/** `sallyport engagement` */
export function registerEngagement(program: Command, context: Context): void {
  const engagement = program
    .command("engagement")
    .alias("engagements")
    .summary("create, change, list and end engagements")
    .description(
      "Create, change, list and end engagements: those that you are in, or for the security team all of them.",
    )
    .addHelpText(
      "after",
      examples("sallyport engagement list", "sallyport engagement end acme-db --reason 'work done'"),
    );
  refuseNames(engagement.command("list", { isDefault: true }), "To see one: sallyport engagement show NAME")
    .description("List engagements, newest first.")
    .option("--json", "as a JSON array")
    .addHelpText("after", examples("sallyport engagement list", "sallyport engagement list --json"))
    .action((options: { json?: boolean }) => list(context, options));
  engagement
    .command("show")
    .description("Show one engagement.")
    .argument("<name>", "its name or id")
    .option("--json", "as one JSON object")
    .addHelpText("after", examples("sallyport engagement show acme-db"))
    .action((name: string, options: { json?: boolean }) => show(context, name, options));
  engagement
    .command("end")
    .description("End an engagement now: its members' sessions end, and nobody gets in by it any more.")
    .argument("<name>", "its name or id")
    .option("--reason <text>", "why; its members are told", "")
    .option("--json", "as one JSON object")
    .addHelpText("after", examples("sallyport engagement end acme-db --reason 'work done'"))
    .action((name: string, options: { reason: string; json?: boolean }) => end(context, name, options));
  registerEngagementChanges(engagement, context);
  registerEngagementHistory(engagement, context);
}

async function all(context: Context): Promise<Engagement[]> {
  const found = await signedInApi(context).api.engagements();
  return found.sort((a, b) => b.start - a.start);
}

async function list(context: Context, options: { json?: boolean }): Promise<void> {
  const found = await all(context);
  if (options.json) return void context.stdout.write(json(found.map(engagementJson)));
  if (found.length === 0) context.stderr.write("There are no engagements for you to see.\n");
  context.stdout.write(engagementTable(found, nowSeconds(context), columnsOf(context.stdout)));
}

async function show(context: Context, name: string, options: { json?: boolean }): Promise<void> {
  const found = (await all(context)).find((each) => each.name === name || each.id === name);
  if (found === undefined)
    throw new SallyportError(
      "not-found",
      `There is no engagement ${printable(name)} for you to see. To list those that are: sallyport engagement list`,
    );
  context.stdout.write(
    options.json ? json(engagementJson(found)) : engagementText(found, nowSeconds(context)),
  );
}

async function end(
  context: Context,
  name: string,
  options: { reason: string; json?: boolean },
): Promise<void> {
  const answer = await signedInApi(context).api.endEngagement(name, options.reason);
  if (options.json) return void context.stdout.write(json(answer));
  context.stdout.write(`Engagement ${printable(name)} has ended.\n${acknowledgementText(answer)}`);
}

function engagementJson(each: Engagement): unknown {
  const ended = each.ended ? { ...each.ended, at: isoTime(each.ended.at) } : each.ended;
  return { ...each, start: isoTime(each.start), end: isoTime(each.end), ended };
}

function engagementText(each: Engagement, now: number): string {
  const members = each.members?.map(({ name, email }) => (email ? `${name} <${email}>` : name)).join(", ");
  const lines = [
    `Engagement  ${each.name} (${each.id})`,
    ...(each.vendor === undefined ? [] : [`Vendor      ${each.vendor}`]),
    `State       ${each.state}`,
    ...(each.ended
      ? [`Ended       ${localTime(each.ended.at)} by ${each.ended.by}: ${each.ended.reason}`]
      : []),
    `From        ${localTime(each.start)} (${fromNow(each.start, now)})`,
    `Until       ${localTime(each.end)} (${fromNow(each.end, now)})`,
    ...(members === undefined ? [] : [`Members     ${members}`]),
    `Hosts       ${each.hosts.join(", ")}`,
    `Accounts    ${each.accounts.join(", ")}`,
    `Contact     ${each.contact}`,
    ...graceLines(each),
    ...grantLines(each),
  ];
  return `${lines.map((line) => printable(line, 5000)).join("\n")}\n`;
}
