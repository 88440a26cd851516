import type { PolicyResponse } from "@sallyport/core/messages/policy.ts";
import { PolicyFile } from "@sallyport/core/policy/policy-file.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { readYaml } from "@sallyport/core/yaml/read-yaml.ts";
import { SingleBar } from "cli-progress";
import type { Command } from "commander";
import type { Context } from "../context.ts";
import { readText } from "../engagements/read-text.ts";
import { ExitCode } from "../exit-codes.ts";
import { acknowledgementText, changesText } from "../output/changes.ts";
import { json } from "../output/json.ts";
import { examples, signedInApi } from "./command.ts";

interface Options {
  file: string;
  dryRun?: boolean;
  reason: string;
  json?: boolean;
}

/** Bytes from which on it is shown how far the file has gone. */
const LARGE = 256 * 1024;

/** `sallyport apply`, `sallyport diff` */
export function registerApply(program: Command, context: Context, onStatus: (status: number) => void): void {
  program
    .command("apply")
    .summary("apply a policy file")
    .description(
      "Create and change members and engagements as a policy file has them: all of it, or with a mistake nothing. Applied " +
        "twice it changes nothing. What is not in the file stays as it is.",
    )
    .requiredOption("-f, --file <file>", "the policy file; - for standard input")
    .option("--dry-run", "say what would change, and change nothing")
    .option("--reason <text>", "why; it is kept with every version", "")
    .option("--json", "as one JSON object")
    .addHelpText(
      "after",
      examples(
        "sallyport apply -f policy.yaml --dry-run",
        "sallyport apply -f policy.yaml --reason 'ticket 4711'",
        "git show HEAD:policy.yaml | sallyport apply -f -",
      ),
    )
    .action(async (options: Options) => void (await apply(context, options)));
  program
    .command("diff")
    .summary("what applying a policy file would change")
    .description(
      "Show what applying a policy file would change. Ends with 0 for nothing, and with 8 for something.",
    )
    .requiredOption("-f, --file <file>", "the policy file; - for standard input")
    .option("--json", "as one JSON object")
    .addHelpText("after", examples("sallyport diff -f policy.yaml", "sallyport diff -f policy.yaml --json"))
    .action(async (options: { file: string; json?: boolean }) => {
      const isSame = await apply(context, { ...options, dryRun: true, reason: "" });
      onStatus(isSame ? ExitCode.ok : ExitCode.differs);
    });
}

/** True when there was nothing to change. */
async function apply(context: Context, options: Options): Promise<boolean> {
  const { text, file } = readText(options.file);
  // Found here, a mistake costs no time, and nothing of the file goes anywhere.
  readYaml(text, file, PolicyFile);
  const { api } = signedInApi(context);
  const request = { text, file: file.slice(-255), reason: options.reason, dryRun: options.dryRun ?? false };
  const progress = progressBar(context, text.length);
  try {
    const answer = await api.applyPolicy(request, progress?.onSent);
    progress?.stop();
    context.stdout.write(options.json ? json(answer) : answerText(answer));
    return isSame(answer);
  } finally {
    progress?.stop();
  }
}

function isSame({ members, engagements }: PolicyResponse): boolean {
  return [members, engagements].every(({ added, changed }) => added.length + changed.length === 0);
}

function progressBar(context: Context, length: number) {
  if (length < LARGE || !context.stderr.isTTY) return undefined;
  const bar = new SingleBar({
    format: "sending {bar} {percentage}%",
    clearOnComplete: true,
    stream: context.stderr as NodeJS.WriteStream,
  });
  let isStarted = false;
  const onSent = (bytes: number, of: number) => {
    if (!isStarted) bar.start(of, 0);
    isStarted = true;
    bar.update(bytes);
    if (bytes === of) bar.stop();
  };
  return { onSent, stop: () => bar.stop() };
}

function answerText(answer: PolicyResponse): string {
  const { members, engagements, dryRun } = answer;
  const added = dryRun ? "would be added" : "added";
  const changed = dryRun ? "would change" : "changed";
  const part = (what: string, { added: names, changed: list }: typeof members) => [
    ...names.map((name) => `+ ${what} ${printable(name)} ${added}\n`),
    ...list.map(
      ({ name, changes }) => `~ ${what} ${printable(name)} ${changed}\n${changesText(changes, "    ")}`,
    ),
  ];
  const approvals = engagements.changed
    .filter(({ needsApproval }) => needsApproval)
    .map(
      ({ name }) => `! engagement ${printable(name)} grants more than was approved: it needs approval anew\n`,
    );
  const ended = engagements.ended.map(
    (name) => `! engagement ${printable(name)} was ended and stays so; give a new one another name\n`,
  );
  return [
    ...part("member", members),
    ...part("engagement", engagements),
    ...approvals,
    ...ended,
    `${summary("members", members)}; ${summary("engagements", engagements)}.\n`,
    acknowledgementText(answer),
  ].join("");
}

function summary(what: string, part: PolicyResponse["members"]): string {
  const { added, changed, unchanged } = part;
  return `${what}: ${added.length} added, ${changed.length} changed, ${unchanged} unchanged`;
}
