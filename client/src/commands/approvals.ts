import { SallyportError } from "@sallyport/core/errors.ts";
import {
  type ApprovalAnswer,
  type ApprovalOutcome,
  ApprovalState,
} from "@sallyport/core/messages/approvals.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Command } from "commander";
import { type Context, nowSeconds } from "../context.ts";
import {
  approvalJson,
  approvalSummary,
  approvalTable,
  approvalText,
  stillApprovedText,
} from "../output/approvals.ts";
import { isoTime, json } from "../output/json.ts";
import { columnsOf } from "../output/table.ts";
import { examples, numberOption, refuseNames, signedInApi } from "./command.ts";

interface ListOptions {
  state?: string;
  engagement?: string;
  limit?: number;
  json?: boolean;
}

interface AnswerOptions {
  note: string;
  ifVersion?: number;
  json?: boolean;
}

/** `sallyport approvals` */
export function registerApprovals(program: Command, context: Context): void {
  const approvals = program
    .command("approvals")
    .alias("approval")
    .summary("list and answer requests for approval")
    .description("List and answer requests for approval. Nobody answers their own.")
    .addHelpText(
      "after",
      examples("sallyport approvals", "sallyport approvals approve apr_01j… --note 'until tonight'"),
    );
  refuseNames(approvals.command("list", { isDefault: true }), "To see one: sallyport approvals show NAME")
    .description("List requests, newest first: your own, or for the security team all that they may see.")
    .option("--state <state>", `only these: ${ApprovalState.options.join(", ")}`)
    .option("--engagement <name>", "only those of this engagement")
    .option("--limit <number>", "at most so many (100)", numberOption("--limit", 1))
    .option("--json", "as a JSON array")
    .addHelpText("after", examples("sallyport approvals", "sallyport approvals list --state pending --json"))
    .action((options: ListOptions) => list(context, options));
  approvals
    .command("show")
    .description("Show one request with its answers.")
    .argument("<id>", "of the request")
    .option("--json", "as one JSON object")
    .addHelpText("after", examples("sallyport approvals show apr_01j…"))
    .action((id: string, options: { json?: boolean }) => show(context, id, options));
  for (const decision of ["approve", "deny"] as const) {
    approvals
      .command(decision)
      .description(
        decision === "approve"
          ? "Say yes. Where an engagement takes several people, the last yes counts."
          : "Say no: one no decides.",
      )
      .argument("<id>", "of the request")
      .option("--reason, --note <text>", "why; who asked reads it", "")
      .option(
        "--if-version <number>",
        "only while the engagement has this version, as `show` has it; a yes without it is for what it shows",
        numberOption("--if-version", 1),
      )
      .option("--json", "as one JSON object")
      .addHelpText("after", examples(`sallyport approvals ${decision} apr_01j… --note 'as agreed'`))
      .action((id: string, { note, ifVersion, ...options }: AnswerOptions) =>
        answer(context, id, { decision, note, ...(ifVersion === undefined ? {} : { ifVersion }) }, options),
      );
  }
  approvals
    .command("withdraw")
    .description(
      "Take an approval back: the sessions that hang on it end at once. Of one's own request that is still pending: give it up.",
    )
    .argument("<id>", "of the request")
    .option("--reason <text>", "why", "")
    .option("--json", "as one JSON object")
    .addHelpText("after", examples("sallyport approvals withdraw apr_01j… --reason 'work done'"))
    .action((id: string, options: { reason: string; json?: boolean }) => withdraw(context, id, options));
}

async function list(context: Context, { state, json: asJson, ...filter }: ListOptions): Promise<void> {
  const parsed = ApprovalState.optional().safeParse(state);
  if (!parsed.success)
    throw new SallyportError("usage", `--state takes one of ${ApprovalState.options.join(", ")}.`);
  const wanted = { ...filter, ...(parsed.data === undefined ? {} : { state: parsed.data }) };
  const found = await signedInApi(context).api.approvals(wanted);
  if (asJson) return void context.stdout.write(json(found.map(approvalJson)));
  if (found.length === 0) context.stderr.write("There are no such requests for you to see.\n");
  context.stdout.write(approvalTable(found, nowSeconds(context), columnsOf(context.stdout)));
}

async function show(context: Context, id: string, options: { json?: boolean }): Promise<void> {
  const found = await signedInApi(context).api.approval(id);
  context.stdout.write(options.json ? json(approvalJson(found)) : approvalText(found, nowSeconds(context)));
}

async function answer(
  context: Context,
  id: string,
  body: ApprovalAnswer,
  options: { json?: boolean },
): Promise<void> {
  const { api } = signedInApi(context);
  if (body.decision === "deny" || body.ifVersion !== undefined)
    return write(context, await api.answerApproval(id, body), options);
  const request = await api.approval(id);
  // After the request: where it was changed in between, the version is too old to be approved.
  const engagement = await api.engagement(request.engagement.id);
  context.stderr.write(approvalSummary(request, engagement));
  const answered = { ...body, ifVersion: request.engagement.version };
  write(context, await api.answerApproval(id, answered), options);
}

async function withdraw(
  context: Context,
  id: string,
  options: { reason: string; json?: boolean },
): Promise<void> {
  write(context, await signedInApi(context).api.withdrawApproval(id, options.reason), options);
}

function write(context: Context, outcome: ApprovalOutcome, options: { json?: boolean }): void {
  const { request, hosts, stillApproved } = outcome;
  if (options.json) {
    const others = stillApproved.map(({ id: other, until }) => ({ id: other, until: isoTime(until) }));
    return void context.stdout.write(json({ request: approvalJson(request), hosts, stillApproved: others }));
  }
  const known = hosts.map(
    ({ host, acknowledged }) =>
      `  ${printable(host)}: ${acknowledged ? "acknowledged" : "NOT acknowledged yet; it takes effect when the host connects"}\n`,
  );
  const { approvers, answers, state } = request;
  const yes = answers.filter(({ decision }) => decision === "approve").length;
  const open = state === "pending" ? `Noted: it takes ${approvers} people, and ${yes} said yes.\n` : "";
  context.stdout.write(
    `${approvalText(request, nowSeconds(context))}${open}${known.join("")}${stillApprovedText(request, stillApproved)}`,
  );
}
