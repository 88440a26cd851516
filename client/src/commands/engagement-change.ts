import { SallyportError } from "@sallyport/core/errors.ts";
import { applyMergePatch, makeMergePatch } from "@sallyport/core/json-merge-patch.ts";
import type { EngagementChangeResponse } from "@sallyport/core/messages/engagements.ts";
import { PolicyEngagement } from "@sallyport/core/policy/policy-engagement.ts";
import { asWritten } from "@sallyport/core/policy/written-engagement.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { readYaml } from "@sallyport/core/yaml/read-yaml.ts";
import type { Command } from "commander";
import type { z } from "zod";
import type { Context } from "../context.ts";
import { editInEditor } from "../engagements/edit-in-editor.ts";
import { addEngagementOptions, type EngagementOptions, patchOf } from "../engagements/engagement-options.ts";
import { readText } from "../engagements/read-text.ts";
import { acknowledgementText, changesText } from "../output/changes.ts";
import { json } from "../output/json.ts";
import { examples, signedInApi } from "./command.ts";

type Input = z.input<typeof PolicyEngagement>;
interface Common {
  reason: string;
  json?: boolean;
}
type ChangeOptions = EngagementOptions & Common & { file?: string };

/** `sallyport engagement create|edit|extend` */
export function registerEngagementChanges(engagement: Command, context: Context): void {
  const create = engagement
    .command("create")
    .description(
      "Create an engagement from options, from YAML as in a policy file, or from YAML with options on it.",
    )
    .argument("[name]", "its name; may stand in the file instead");
  addEngagementOptions(create, "create")
    .option("-f, --file <file>", "its fields as YAML; - for standard input")
    .option("--reason <text>", "why; it is kept with the version", "")
    .option("--json", "as one JSON object")
    .addHelpText(
      "after",
      examples(
        "sallyport engagement create acme-db --vendor acme --member alice@acme.example --host db-1 \\",
        "    --account deploy --start 2026-11-01 --end 2026-12-01 --contact dana@example.com",
        "sallyport engagement create -f acme-db.yaml --reason 'ticket 4711' --idp-grace 15m",
      ),
    )
    .action((name: string | undefined, options: ChangeOptions) => createEngagement(context, name, options));
  const edit = engagement
    .command("edit")
    .description(
      "Change an engagement: by options, by YAML that says all of it, or without either in your editor. It is refused when " +
        "somebody else has changed it meanwhile.",
    )
    .argument("<name>", "its name or id");
  addEngagementOptions(edit, "edit")
    .option("-f, --file <file>", "all its fields as YAML; - for standard input")
    .option("--reason <text>", "why; it is kept with the version", "")
    .option("--json", "as one JSON object")
    .addHelpText(
      "after",
      examples(
        "sallyport engagement edit acme-db",
        "sallyport engagement edit acme-db --add-member bob@acme.example --reason 'ticket 4712'",
      ),
    )
    .action((name: string, options: ChangeOptions) => editEngagement(context, name, options));
  engagement
    .command("extend")
    .description("Let an engagement end later.")
    .argument("<name>", "its name or id")
    .requiredOption("--until <time>", "its new end, like 2026-12-31T18:00:00Z, or a date (midnight UTC)")
    .option("--reason <text>", "why; it is kept with the version", "")
    .option("--json", "as one JSON object")
    .addHelpText(
      "after",
      examples("sallyport engagement extend acme-db --until 2026-12-31 --reason 'not done'"),
    )
    .action((name: string, options: Common & { until: string }) => extend(context, name, options));
}

async function createEngagement(
  context: Context,
  name: string | undefined,
  options: ChangeOptions,
): Promise<void> {
  const fromFile =
    options.file === undefined ? {} : readFields(options.file, name === undefined ? {} : { name });
  const fields = applyMergePatch(fromFile, { ...patchOf(options), ...(name === undefined ? {} : { name }) });
  const wanted = checked(fields);
  const { api } = signedInApi(context);
  const answer = await api.createEngagement({ engagement: wanted, reason: options.reason });
  report(context, options, answer, "created");
}

async function editEngagement(context: Context, name: string, options: ChangeOptions): Promise<void> {
  const { api } = signedInApi(context);
  const [current] = await api.engagementVersions(name, 1);
  if (current === undefined)
    throw new SallyportError(
      "not-found",
      `There is no engagement ${printable(name)} for you to see. To list those that are: sallyport engagement list`,
    );
  const { ended: _, ...before } = current.engagement;
  const send = (change: Record<string, unknown>) =>
    api.editEngagement(name, { version: current.version, change, reason: options.reason });
  if (options.file === undefined && Object.keys(patchOf(options, before)).length === 0) {
    const answer = await editInEditor(context, { api, name, reason: options.reason }, current);
    if (answer === undefined) return void context.stderr.write("Nothing was changed.\n");
    return report(context, options, answer, "changed");
  }
  const base = options.file === undefined ? before : readFields(options.file, { name: before.name });
  const wanted = checked(applyMergePatch(base, patchOf(options, base)));
  const after = asWritten(PolicyEngagement.parse(wanted));
  report(context, options, await send(makeMergePatch(before, after)), "changed");
}

async function extend(context: Context, name: string, options: Common & { until: string }): Promise<void> {
  const { until, reason } = options;
  const answer = await signedInApi(context).api.extendEngagement(name, { until, reason });
  report(context, options, answer, "extended");
}

/** YAML as it is written, after all of it was checked, with line and column; `given` stands for what may be left out. */
function readFields(file: string, given: { name?: unknown }): Record<string, unknown> {
  const { text, file: called } = readText(file);
  // A name that the command line gives need not stand in the file, so it is put below it for the check.
  const complete =
    "name" in given && !/^name\s*:/m.test(text) ? `${text.trimEnd()}\nname: ${String(given.name)}\n` : text;
  return { ...asWritten(readYaml(complete, called, PolicyEngagement).value) };
}

/** The same, where it is an engagement. Code `usage` names what is missing or wrong. */
function checked(fields: unknown): Input {
  const result = PolicyEngagement.safeParse(fields);
  if (result.success) return fields as Input;
  const [issue] = result.error.issues;
  const field = issue?.path.join(".") ?? "";
  const isMissing = issue?.code === "invalid_type" && /undefined$/.test(issue.message);
  throw new SallyportError(
    "usage",
    isMissing
      ? `${field} is missing; see --help.`
      : `${field || "The engagement"} is wrong: ${issue?.message}.`,
  );
}

function report(
  context: Context,
  options: Common,
  answer: EngagementChangeResponse,
  done: "created" | "changed" | "extended",
): void {
  if (options.json) return void context.stdout.write(json(answer));
  const { name, version, changes, needsApproval } = answer;
  if (done !== "created" && changes.length === 0)
    return void context.stdout.write(`Engagement ${printable(name)} was so already; nothing was changed.\n`);
  context.stdout.write(
    `Engagement ${printable(name)} ${done} (version ${version}).\n${changesText(changes)}` +
      (needsApproval
        ? "  It grants more than was approved: nobody gets in by it until it is approved anew.\n"
        : "") +
      acknowledgementText(answer),
  );
}
