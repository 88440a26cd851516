import { existsSync, readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { parseVerifierKey } from "@sallyport/core/transparency/signed-note.ts";
import type { Command } from "commander";
import { earlierCheckpoint } from "../audit/earlier-checkpoint.ts";
import { fetchLog } from "../audit/fetch-log.ts";
import { readLines } from "../audit/read-lines.ts";
import { type VerifiedLog, verifyLog } from "../audit/verify-log.ts";
import type { Context } from "../context.ts";
import { json } from "../output/json.ts";
import { writeOutAsItComes } from "../recordings/write-out.ts";
import { examples, numberOption, signedInApi } from "./command.ts";

interface ExportOptions {
  from: number;
  output?: string;
  json?: boolean;
}

interface VerifyOptions {
  key?: string;
  since?: string;
  json?: boolean;
}

/** `sallyport audit` */
export function registerAudit(program: Command, context: Context): void {
  const audit = program
    .command("audit")
    .summary("export and verify the audit log")
    .description(
      "Export and verify the audit log: a Merkle tree of everything that was decided, issued, changed, viewed and revoked, and of every recording that ended. Its head is a signed checkpoint that other people's tools verify too.",
    )
    .addHelpText("after", examples("sallyport audit export --output audit.jsonl", "sallyport audit verify"));
  audit
    .command("checkpoint")
    .summary("the signed head of the log, as it is now")
    .description(
      "Print the signed head of the audit log as it is now. Kept elsewhere, it shows later whether anything before it was changed: sallyport audit verify --since.",
    )
    .addHelpText("after", examples("sallyport audit checkpoint > $(date +%F).checkpoint"))
    .action(async () => void context.stdout.write(await signedInApi(context).api.auditCheckpoint()));
  audit
    .command("export")
    .summary("write the log as JSON lines")
    .description(
      "Write the audit log as JSON lines: first what was signed, then one line for each entry. It can be verified offline.",
    )
    .option("--from <number>", "begin at this entry; the first is 0", numberOption("--from", 0), 0)
    .option("--output <file>", "write to this file instead of standard output")
    .option("--json", "say what was written as one JSON object; needs --output")
    .addHelpText(
      "after",
      examples(
        "sallyport audit export --output audit.jsonl",
        "sallyport audit export --from 20000 | tail -n +2 | jq .leaf",
      ),
    )
    .action((options: ExportOptions) => exportLog(context, options));
  audit
    .command("verify")
    .summary("check that nothing in the log was changed, removed or added")
    .description(
      "Check that every entry of the audit log is there, in order and unaltered, and that together they are what was signed. Without a file, the log is fetched. Exit status 7 and the number of the first entry that disagrees when it is not so.",
    )
    .argument("[file]", "an export, checked offline")
    .option("--key <key>", "the log's verifier key, or a file with it; without it, the one in the export")
    .option("--since <file>", "an earlier checkpoint or export that the log must go on from")
    .option("--json", "as one JSON object")
    .addHelpText(
      "after",
      examples(
        "sallyport audit verify --since 2026-11-01.checkpoint",
        "sallyport audit verify audit.jsonl --key sallyport.example.com/audit-1234abcd+…",
      ),
    )
    .action((file: string | undefined, options: VerifyOptions) => verify(context, file, options));
}

async function exportLog(context: Context, { from, output, json: asJson }: ExportOptions): Promise<void> {
  if (!Number.isSafeInteger(from)) throw new SallyportError("usage", "--from takes a whole number.");
  if (asJson && output === undefined)
    throw new SallyportError("usage", "--json needs --output: the log itself is JSON lines.");
  const { api } = signedInApi(context);
  let entries = -1;
  async function* bytes() {
    for await (const line of fetchLog(api, from, progress(context))) {
      entries++;
      yield Buffer.from(`${line}\n`);
    }
  }
  await writeOutAsItComes(context, output, bytes());
  if (output === undefined) return;
  if (asJson) context.stdout.write(json({ file: output, from, entries }));
  else context.stdout.write(`${entries} entries written to ${printable(output)}.\n`);
}

async function verify(context: Context, file: string | undefined, options: VerifyOptions): Promise<void> {
  const key = options.key === undefined ? undefined : verifierKey(options.key);
  const since = options.since === undefined ? undefined : earlierCheckpoint(options.since);
  const lines =
    file === undefined ? fetchLog(signedInApi(context).api, 0, progress(context)) : readLines(file);
  const result = await verifyLog(lines, { key, since });
  if (options.json) context.stdout.write(json(asObject(result)));
  else context.stdout.write(asText(result, key !== undefined, file === undefined));
}

function asObject({ origin, from, size, root, key, since }: VerifiedLog) {
  return {
    verified: true,
    origin,
    from,
    size,
    root: Buffer.from(root).toString("base64"),
    key,
    since: since?.size ?? null,
  };
}

function asText(
  { origin, from, size, root, key, since }: VerifiedLog,
  keyGiven: boolean,
  online: boolean,
): string {
  const whose = online ? "as the control plane says" : "as the export says";
  const lines = [
    `The audit log ${printable(origin)} holds: ${from === 0 ? "" : `entries ${from} to `}${size}${from === 0 ? " entries" : ""}.`,
    ...(since === undefined ? [] : [`It goes on from the earlier checkpoint of ${since.size} entries.`]),
    `Root: ${Buffer.from(root).toString("base64")}`,
    `Signed by ${printable(key)}${keyGiven ? "" : `, ${whose}; compare it with what was noted before, and give it as --key`}.`,
  ];
  return `${lines.join("\n")}\n`;
}

/** A key as it is given: itself, or a file with it. Code `usage`. */
function verifierKey(text: string): string {
  const key = (existsSync(text) ? readFileSync(text, "utf8") : text).trim();
  try {
    parseVerifierKey(key);
    return key;
  } catch (cause) {
    throw new SallyportError(
      "usage",
      "--key takes a verifier key, like sallyport.example.com/audit-1234abcd+1a2b3c4d+AZ…, or a file with one.",
      { cause },
    );
  }
}

/** Shows on a terminal how far it is. */
function progress(context: Pick<Context, "stderr">): (entries: number, size: number) => void {
  return (entries, size) => {
    if (!context.stderr.isTTY) return;
    context.stderr.write(entries < size ? `\rFetching the audit log: ${entries} of ${size}` : "\r\u001b[K");
  };
}
