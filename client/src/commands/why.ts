import type { LastRefusal } from "@sallyport/core/messages/client-api.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Command } from "commander";
import { type Context, nowSeconds } from "../context.ts";
import { approvalJson, approvalNews } from "../output/approvals.ts";
import { isoTime, json } from "../output/json.ts";
import { fromNow, localTime } from "../output/time.ts";
import { explanationOf } from "../refusals/explanations.ts";
import { type LastFailure, readLastFailure } from "../state/last-failure.ts";
import { examples, signedInApi } from "./command.ts";

type Refusal = NonNullable<LastRefusal["refusal"]>;

/** `sallyport why` */
export function registerWhy(program: Command, context: Context): void {
  program
    .command("why")
    .summary("why the last login was refused, and what to do")
    .description(
      "Explain the last login that a host refused you, or the last sign-in that failed here if that is newer.",
    )
    .option("--json", "as one JSON object")
    .addHelpText("after", examples("sallyport why", "sallyport why --json"))
    .action((options: { json?: boolean }) => why(context, options));
}

async function why(context: Context, options: { json?: boolean }): Promise<void> {
  const local = readLastFailure(context);
  const refusal = await askRefusal(context, local, options);
  const newerFailure =
    local !== undefined && (refusal === null || local.at / 1000 > refusal.at) ? local : undefined;
  if (options.json) return void context.stdout.write(json(whyJson(refusal, newerFailure)));
  if (newerFailure !== undefined) context.stdout.write(failureText(newerFailure, nowSeconds(context)));
  else if (refusal !== null) context.stdout.write(refusalText(refusal, nowSeconds(context)));
  else
    context.stderr.write(
      "No host has refused you, and no sign-in has failed here since the last one that worked.\n",
    );
}

/** The refusal; where the control plane cannot say, a failure kept here is shown before its error. */
async function askRefusal(
  context: Context,
  local: LastFailure | undefined,
  options: { json?: boolean },
): Promise<Refusal | null> {
  try {
    return (await signedInApi(context).api.lastRefusal()).refusal;
  } catch (error) {
    if (local !== undefined && !options.json) context.stdout.write(failureText(local, nowSeconds(context)));
    throw error;
  }
}

function failureText(failure: LastFailure, now: number): string {
  const at = failure.at / 1000;
  return `${localTime(at)} (${fromNow(at, now)}): the sign-in on this machine failed (${printable(failure.code)}).\n${printable(failure.message, 2000)}\n`;
}

function refusalText(refusal: Refusal, now: number): string {
  const known = explanationOf(refusal.code);
  const lines = [
    `${localTime(refusal.at)} (${fromNow(refusal.at, now)}): ${printable(refusal.host)} refused the login as ${printable(refusal.account)} (${printable(refusal.code)}).`,
    known?.what ?? "This version of sallyport does not know this reason.",
    ...(refusal.told === null ? [] : [`The host said: ${printable(refusal.told, 2000)}`]),
    refusal.request
      ? approvalNews(refusal.request, now)
      : (known?.next ?? "Tell whoever runs Sallyport, with the time and the host."),
  ];
  return `${lines.join("\n")}\n`;
}

function whyJson(refusal: Refusal | null, failure: LastFailure | undefined): unknown {
  const known = refusal === null ? undefined : explanationOf(refusal.code);
  return {
    refusal:
      refusal === null
        ? null
        : {
            ...refusal,
            at: isoTime(refusal.at),
            request: refusal.request ? approvalJson(refusal.request) : null,
            explanation: known?.what ?? null,
            next: known?.next ?? null,
          },
    failure:
      failure === undefined
        ? null
        : { at: isoTime(failure.at / 1000), code: failure.code, message: failure.message },
  };
}
