import type { IssuerView } from "@sallyport/core/messages/issuers.ts";
import type { Command } from "commander";
import { type Context, nowSeconds } from "../context.ts";
import { isoTime, json } from "../output/json.ts";
import { columnsOf, table } from "../output/table.ts";
import { fromNow, span } from "../output/time.ts";
import { examples, signedInApi } from "./command.ts";

/** `sallyport idp` */
export function registerIdp(program: Command, context: Context): void {
  const idp = program
    .command("idp")
    .summary("how it stands with the identity providers")
    .description("The identity providers that the control plane asks about people, and hears from.")
    .addHelpText("after", examples("sallyport idp list"));
  idp
    .command("list")
    .summary("whether they answer, and what comes from them")
    .description(
      "List the identity providers: how they are asked whether people are still theirs, since when one is silent, and what comes from " +
        "them by itself. Needs the role auditor or admin.",
    )
    .option("--json", "as a JSON array")
    .addHelpText(
      "after",
      examples("sallyport idp list", "sallyport idp list --json | jq '.[] | select(.silentSince)'"),
    )
    .action((options: { json?: boolean }) => list(context, options));
}

async function list(context: Context, options: { json?: boolean }): Promise<void> {
  const issuers = await signedInApi(context).api.issuers();
  if (options.json) return void context.stdout.write(json(issuers.map(issuerJson)));
  const now = nowSeconds(context);
  const head = ["IDP", "ASKED", "SIGN-INS", "LAST ANSWER", "STATE", "EVENTS", "SCIM"];
  const rows = issuers.map((each) => [
    each.name,
    each.check.by === "none" ? "no" : `${each.check.by}, every ${each.check.every} s`,
    signIns(each),
    each.lastAnswerAt === null ? "never" : fromNow(each.lastAnswerAt, now),
    state(each, now),
    events(each, now),
    each.scim === null ? "no" : `${each.scim.users} users`,
  ]);
  context.stdout.write(table(head, rows, columnsOf(context.stdout)));
}

function signIns({ signIns: { kept, live, lost } }: IssuerView): string {
  return `${live} live of ${kept}${lost === 0 ? "" : `, ${lost} lost`}`;
}

function state({ check, silentSince, hostsToldAt, problem, failures }: IssuerView, now: number): string {
  if (check.by === "none") return "not asked";
  if (silentSince === null) return "answers";
  const told = hostsToldAt === null ? "" : ", hosts know";
  return `SILENT for ${span(now - silentSince)}${told}: ${problem ?? "no answer"} (${failures} times)`;
}

function events({ securityEvents }: IssuerView, now: number): string {
  if (securityEvents === null) return "no";
  const { problem, lastReceivedAt } = securityEvents;
  if (problem !== null) return problem;
  return lastReceivedAt === null ? "none yet" : fromNow(lastReceivedAt, now);
}

function issuerJson(issuer: IssuerView): unknown {
  const { lastAnswerAt, silentSince, hostsToldAt, backOffUntil, securityEvents, scim } = issuer;
  return {
    ...issuer,
    lastAnswerAt: isoTime(lastAnswerAt),
    silentSince: isoTime(silentSince),
    hostsToldAt: isoTime(hostsToldAt),
    backOffUntil: isoTime(backOffUntil),
    securityEvents: securityEvents && {
      ...securityEvents,
      lastReceivedAt: isoTime(securityEvents.lastReceivedAt),
    },
    scim: scim && { ...scim, lastChangeAt: isoTime(scim.lastChangeAt) },
  };
}
