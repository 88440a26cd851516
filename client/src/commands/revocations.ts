import { SallyportError } from "@sallyport/core/errors.ts";
import { RevocationLevel } from "@sallyport/core/policy/revocation.ts";
import type { Command } from "commander";
import { type Context, nowSeconds } from "../context.ts";
import { json } from "../output/json.ts";
import {
  revocationDetailJson,
  revocationJson,
  revocationTable,
  revocationText,
} from "../output/revocations.ts";
import { columnsOf } from "../output/table.ts";
import { examples, numberOption, refuseNames, signedInApi } from "./command.ts";

interface ListOptions {
  level?: string;
  of?: string;
  all?: boolean;
  before?: string;
  limit?: number;
  json?: boolean;
}

/** `sallyport revocations` */
export function registerRevocations(program: Command, context: Context): void {
  const revocations = program
    .command("revocations")
    .alias("revocation")
    .summary("list revocations, and which hosts have them")
    .description(
      "What was revoked, by people and by IdPs: what is in force, what was lifted, and which hosts have it.",
    )
    .addHelpText("after", examples("sallyport revocations", "sallyport revocations show rev_01j…"));
  refuseNames(revocations.command("list", { isDefault: true }), "To see one: sallyport revocations show NAME")
    .description("List what is in force, newest first.")
    .option("--all", "also what was lifted, what gives access back, and what was made anew since")
    .option("--level <level>", `only these: ${RevocationLevel.options.join(", ")}`)
    .option("--of <id or name>", "only of this one, with --level")
    .option("--before <id>", "only those older than this one")
    .option("--limit <number>", "at most so many (100)", numberOption("--limit", 1))
    .option("--json", "as a JSON array")
    .addHelpText(
      "after",
      examples(
        "sallyport revocations",
        "sallyport revocations list --level member --of alice@vendor.example --all",
        "sallyport revocations list --limit 1000 --json",
      ),
    )
    .action((options: ListOptions) => list(context, options));
  revocations
    .command("show")
    .description("Show one, with the hosts that do not have it yet, and from when on nobody gets in there.")
    .argument("<id>", "of the revocation")
    .option("--json", "as one JSON object, with all hosts")
    .addHelpText("after", examples("sallyport revocations show rev_01j…"))
    .action((id: string, options: { json?: boolean }) => show(context, id, options));
}

async function list(context: Context, options: ListOptions): Promise<void> {
  const { level, of: target, before, limit } = options;
  if (!RevocationLevel.optional().safeParse(level).success)
    throw new SallyportError("usage", `--level takes one of ${RevocationLevel.options.join(", ")}.`);
  if (target !== undefined && level === undefined)
    throw new SallyportError("usage", "--of needs --level: say what it is, such as --level member.");
  const found = await signedInApi(context).api.revocations({
    ...(level === undefined ? {} : { level }),
    ...(target === undefined ? {} : { target }),
    ...(before === undefined ? {} : { before }),
    ...(limit === undefined ? {} : { limit }),
    ...(options.all ? {} : { inForce: true }),
  });
  if (options.json) return void context.stdout.write(json(found.map(revocationJson)));
  if (found.length === 0) return void context.stderr.write("There are no such revocations.\n");
  context.stdout.write(revocationTable(found, columnsOf(context.stdout)));
}

async function show(context: Context, id: string, options: { json?: boolean }): Promise<void> {
  const detail = await signedInApi(context).api.revocation(id, "all");
  context.stdout.write(
    options.json ? json(revocationDetailJson(detail)) : revocationText(detail, nowSeconds(context)),
  );
}
