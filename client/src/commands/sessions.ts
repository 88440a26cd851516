import type { SessionSummary } from "@sallyport/core/messages/client-api.ts";
import type { Command } from "commander";
import { type Context, nowSeconds } from "../context.ts";
import { isoTime, json } from "../output/json.ts";
import { columnsOf, table } from "../output/table.ts";
import { localTime, span } from "../output/time.ts";
import { examples, numberOption, signedInApi } from "./command.ts";

interface SessionsOptions {
  json?: boolean;
  live?: boolean;
  host?: string;
  member?: string;
  limit?: number;
}

/** As many as a control plane lists at once. */
const MAX_LIMIT = 1000;

/** `sallyport sessions` */
export function registerSessions(program: Command, context: Context): void {
  program
    .command("sessions")
    .summary("list recorded sessions")
    .description("List recorded sessions, newest first.")
    .option("--json", "as a JSON array")
    .option("--live", "only those that are open now")
    .option("--host <name>", "only those on this host")
    .option("--member <id, e-mail or name>", "only those of this member")
    .option("--limit <number>", "at most so many, up to 1000", numberOption("--limit", 1))
    .addHelpText(
      "after",
      examples(
        "sallyport sessions",
        "sallyport sessions --live --host web-1",
        "sallyport sessions --json | jq -r '.[0].id'",
      ),
    )
    .action((options: SessionsOptions) => sessions(context, options));
}

async function sessions(context: Context, options: SessionsOptions): Promise<void> {
  const { api } = signedInApi(context);
  const { json: asJson, live, limit, ...filter } = options;
  const found = await api.sessions({
    ...filter,
    ...(live ? { state: "live" } : {}),
    ...(limit === undefined ? {} : { limit: Math.min(Math.floor(limit), MAX_LIMIT) }),
  });
  const list = found.sort((a, b) => b.startedAt - a.startedAt);
  if (asJson) return void context.stdout.write(json(list.map(sessionJson)));
  if (list.length === 0) return void context.stderr.write("There are no such sessions.\n");
  context.stdout.write(sessionTable(list, nowSeconds(context), columnsOf(context.stdout)));
}

function sessionJson(session: SessionSummary): unknown {
  return {
    ...session,
    startedAt: isoTime(session.startedAt),
    endedAt: isoTime(session.endedAt),
    recording: { ...session.recording, deletedAt: isoTime(session.recording.deletedAt) },
  };
}

/** Sessions as a table for people. */
function sessionTable(list: readonly SessionSummary[], now: number, columns: number | undefined): string {
  return table(
    ["ID", "STARTED", "LASTED", "HOST", "ACCOUNT", "MEMBER", "ENGAGEMENT", "STATE", "RECORDING", "COMMAND"],
    list.map((each) => [
      each.id,
      localTime(each.startedAt),
      span(Math.max(0, (each.endedAt ?? now) - each.startedAt)),
      each.host,
      each.account,
      each.assurance === "brokered" ? `${each.member.name} (brokered)` : each.member.name,
      each.engagement.name,
      stateOf(each),
      recordingText(each),
      each.command ?? (each.kind === "pty" ? "(shell)" : ""),
    ]),
    columns,
  );
}

/** What became of the recording. */
function recordingText({ recording }: SessionSummary): string {
  if (recording.state === "deleted") {
    const when = recording.deletedAt === null ? "" : localTime(recording.deletedAt);
    return `deleted ${when} by ${recording.deletedBy ?? "?"}`;
  }
  return `${recording.state}${recording.held ? ", held" : ""}`;
}

function stateOf(session: SessionSummary): string {
  if (session.state === "live") return "live";
  const reason = session.endReason === null || session.endReason === "exited" ? "" : session.endReason;
  const result = session.signal ?? (session.exitStatus === null ? "" : `exit ${session.exitStatus}`);
  return [reason, result].filter((each) => each !== "").join(", ") || "ended";
}
