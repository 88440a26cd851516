import { SallyportError } from "@sallyport/core/errors.ts";
import type { Hold, HoldRequest } from "@sallyport/core/messages/recordings.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Command } from "commander";
import type { Context } from "../context.ts";
import { isoTime, json } from "../output/json.ts";
import { columnsOf, table } from "../output/table.ts";
import { localTime } from "../output/time.ts";
import { examples, refuseNames, signedInApi } from "./command.ts";

interface AddOptions {
  engagement?: string;
  vendor?: string;
  reason: string;
  json?: boolean;
}

/** `sallyport hold` */
export function registerHold(program: Command, context: Context): void {
  const hold = program
    .command("hold")
    .alias("holds")
    .summary("keep recordings past their retention")
    .description(
      "Legal holds: while one is there, no recording that it covers is deleted, those to come included. Without a hold, recordings go as the control plane's retention says.",
    )
    .addHelpText(
      "after",
      examples(
        "sallyport hold add ses_… --reason 'case 4711'",
        "sallyport hold list",
        "sallyport hold remove hld_…",
      ),
    );
  refuseNames(
    hold.command("list", { isDefault: true }),
    "To hold a recording: sallyport hold add NAME --reason …",
  )
    .description("List holds, newest first.")
    .option("--all", "those that were lifted as well")
    .option("--json", "as a JSON array")
    .addHelpText("after", examples("sallyport hold list", "sallyport hold list --all --json"))
    .action((options: { all?: boolean; json?: boolean }) => list(context, options));
  hold
    .command("add")
    .description("Hold the recording of a session, or all of an engagement or a vendor.")
    .argument("[session]", "the session's id; or --engagement, or --vendor")
    .option("--engagement <name>", "all recordings of this engagement")
    .option("--vendor <name>", "all recordings of this vendor's engagements")
    .requiredOption("--reason <text>", "why; it is in the audit log")
    .option("--json", "as one JSON object")
    .addHelpText(
      "after",
      examples(
        "sallyport hold add ses_… --reason 'case 4711'",
        "sallyport hold add --vendor acme --reason 'audit of 2026'",
      ),
    )
    .action((session: string | undefined, options: AddOptions) => add(context, session, options));
  hold
    .command("remove")
    .description("Lift a hold. What is past its retention and held by nothing else goes soon after.")
    .argument("<id>", "the hold")
    .option("--json", "as one JSON object")
    .addHelpText("after", examples("sallyport hold remove hld_…"))
    .action((id: string, options: { json?: boolean }) => remove(context, id, options));
}

async function list(context: Context, options: { all?: boolean; json?: boolean }): Promise<void> {
  const holds = await signedInApi(context).api.holds(options.all ?? false);
  if (options.json) return void context.stdout.write(json(holds.map(holdJson)));
  if (holds.length === 0) return void context.stderr.write("There are no holds.\n");
  context.stdout.write(
    table(
      ["ID", "LEVEL", "OF", "SINCE", "BY", "LIFTED", "REASON"],
      holds.map((each) => [
        each.id,
        each.level,
        each.name,
        localTime(each.placedAt),
        each.placedBy,
        each.liftedAt === null ? "" : `${localTime(each.liftedAt)} by ${each.liftedBy ?? "?"}`,
        each.reason,
      ]),
      columnsOf(context.stdout),
    ),
  );
}

async function add(context: Context, session: string | undefined, options: AddOptions): Promise<void> {
  const hold = await signedInApi(context).api.placeHold({
    ...targetOf(session, options),
    reason: options.reason,
  });
  if (options.json) return void context.stdout.write(json(holdJson(hold)));
  context.stdout.write(`${printable(hold.id)} holds the ${hold.level} ${printable(hold.name)}.\n`);
}

async function remove(context: Context, id: string, options: { json?: boolean }): Promise<void> {
  const hold = await signedInApi(context).api.liftHold(id);
  if (options.json) return void context.stdout.write(json(holdJson(hold)));
  context.stdout.write(
    `${printable(hold.id)} is lifted: it held the ${hold.level} ${printable(hold.name)}.\n`,
  );
}

function targetOf(
  session: string | undefined,
  { engagement, vendor }: AddOptions,
): Omit<HoldRequest, "reason"> {
  const targets = (
    [
      ["session", session],
      ["engagement", engagement],
      ["vendor", vendor],
    ] as const
  ).flatMap(([level, target]) => (target === undefined ? [] : [{ level, target }]));
  const [target] = targets;
  if (target === undefined || targets.length > 1)
    throw new SallyportError("usage", "Name one of: a session, --engagement, --vendor.");
  return target;
}

function holdJson(hold: Hold): unknown {
  return { ...hold, placedAt: isoTime(hold.placedAt), liftedAt: isoTime(hold.liftedAt) };
}
