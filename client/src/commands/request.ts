import { setTimeout as pause } from "node:timers/promises";
import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import type { ApprovalView } from "@sallyport/core/messages/approvals.ts";
import type { Command } from "commander";
import type { ControlPlane } from "../api/control-plane.ts";
import { type Context, nowSeconds } from "../context.ts";
import { approvalJson, approvalNews } from "../output/approvals.ts";
import { json } from "../output/json.ts";
import { span } from "../output/time.ts";
import { examples, signedInApi } from "./command.ts";

const POLL_MS = 2000;
/** To the start of the line, which is then cleared. */
const CLEAR = "\r\u001b[K";

interface RequestOptions {
  reason: string;
  ticket?: string;
  wait?: boolean;
  json?: boolean;
}

/** `sallyport request` */
export function registerRequest(program: Command, context: Context): void {
  program
    .command("request")
    .summary("ask for the approval that an engagement needs")
    .description(
      "Ask for the approval that an engagement needs before it lets you in. While your request waits, asking again shows the same one.",
    )
    .argument("<engagement>", "its name or id")
    .requiredOption("--reason <text>", "why; those who answer read it")
    .option("--ticket <reference>", "a ticket, where the engagement asks for one")
    .option("--wait", "wait for the answer: 0 when it is a yes, 6 when it is a no or nobody answers in time")
    .option("--json", "as one JSON object")
    .addHelpText(
      "after",
      examples(
        "sallyport request acme-db --reason 'the disk of db-1 is full'",
        "sallyport request acme-db --reason 'upgrade' --ticket OPS-1234 --wait && ssh db-1",
      ),
    )
    .action((engagement: string, options: RequestOptions) => request(context, engagement, options));
}

async function request(context: Context, engagement: string, options: RequestOptions): Promise<void> {
  if (options.reason.trim() === "")
    throw new SallyportError("usage", "--reason takes a few words that say why.");
  const { api } = signedInApi(context);
  const { reason, ticket = null } = options;
  const asked = await api.requestApproval({ engagement, reason, ticket });
  const result = options.wait ? await waitForAnswer(context, api, asked) : asked;
  if (options.json) context.stdout.write(json(approvalJson(result)));
  const news = approvalNews(result, nowSeconds(context));
  if (options.wait && result.state !== "approved") throw new SallyportError("forbidden", news);
  if (!options.json) context.stdout.write(`${news}\n`);
}

/** Asks every 2 s until somebody has answered, also through times when the control plane cannot be reached. */
async function waitForAnswer(
  context: Context,
  api: ControlPlane,
  asked: ApprovalView,
): Promise<ApprovalView> {
  const { stderr } = context;
  const begun = nowSeconds(context);
  let seen = asked;
  if (seen.state === "pending") stderr.write(`${approvalNews(seen, begun)}\n`);
  while (seen.state === "pending") {
    if (stderr.isTTY) {
      const yes = seen.answers.length === 0 ? "" : `, ${seen.answers.length} of ${seen.approvers} said yes`;
      stderr.write(`${CLEAR}Waiting for ${span(nowSeconds(context) - begun)}${yes}…`);
    }
    await pause(POLL_MS);
    seen = await api.approval(asked.id).catch((error: unknown) => {
      if (isSallyportError(error, "server-unreachable") || isSallyportError(error, "rate-limited"))
        return seen;
      throw error;
    });
  }
  if (stderr.isTTY) stderr.write(CLEAR);
  return seen;
}
