import { wordText } from "@sallyport/core/commands/usage-text.ts";
import { isoSeconds } from "@sallyport/core/policy/written-engagement.ts";
import type { AllowedAnswer, PolicyAnswer, RefusedAnswer } from "@sallyport/core/policy-test/question.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Command } from "commander";
import { type Context, nowSeconds } from "../context.ts";
import { ExitCode } from "../exit-codes.ts";
import { json } from "../output/json.ts";
import { labelsOf, momentOf } from "../policy/parse-options.ts";
import { readLocalPolicyFile, readPolicyFile } from "../policy/read-policy.ts";
import { listRows, type Row, rows } from "../policy/rows.ts";
import { examples } from "./command.ts";

interface Options {
  member: string;
  host: string;
  account: string;
  label: string[];
  at?: string;
  from?: string;
  local: string[];
  json?: boolean;
}

type PlaceOf = (path: readonly PropertyKey[]) => string;

/** `sallyport policy test` */
export function registerPolicyTest(
  policy: Command,
  context: Context,
  onStatus: (status: number) => void,
): void {
  policy
    .command("test")
    .summary("whether somebody could run something somewhere, and by which rule")
    .description(
      "Answer as a host would, from a policy file: may this member run this command there, and which rule gives it? One word is a line " +
        "as it is typed (quotes, backslashes and pipes are read), several are the arguments as they are. Without a command: may they " +
        "log in? Ends with 0 for yes, and with 6 for no.",
    )
    .argument("<file>", "the policy file; - for standard input")
    .argument("[command...]", "behind --: the command")
    .requiredOption("--member <e-mail>", "who")
    .requiredOption("--host <name>", "where")
    .requiredOption("--account <name>", "as whom")
    .option("--label <key=value...>", "labels of the host", [])
    .option("--at <time>", "when, like 2026-11-02T09:00:00Z, or a date; now if left out")
    .option("--from <address>", "where the login comes from; if left out, source networks are not asked for")
    .option("--local <file...>", "local policies of the host", [])
    .option("--json", "as one JSON object")
    .addHelpText(
      "after",
      examples(
        "sallyport policy test policy.yaml --member alice@acme.example --host web-1 --account deploy -- 'systemctl restart nginx'",
        "sallyport policy test policy.yaml --member alice@acme.example --host web-1 --label env=production --account deploy",
        "sallyport policy test policy.yaml --member bob@acme.example --host db-1 --account postgres \\\n" +
          "      --at 2026-12-24T22:00:00Z --local policy.d/10-host.yaml -- tail -n 100 /var/log/postgresql/main.log",
      ),
    )
    .action(async (file: string, words: string[], options: Options) => {
      // Loaded when it is wanted: every other command starts without.
      const { testPolicy } = await import("@sallyport/core/policy-test/test-policy.ts");
      const read = readPolicyFile(file);
      const answer = testPolicy({
        policy: read.read.value,
        locals: options.local.map(readLocalPolicyFile),
        member: options.member,
        host: { name: options.host, labels: labelsOf(options.label) },
        account: options.account,
        now: options.at === undefined ? nowSeconds(context) : momentOf(options.at),
        sourceAddress: options.from ?? null,
        command: words.length > 1 ? words : (words[0] ?? null),
      });
      const placeOf: PlaceOf = (path) => {
        const { line, column } = read.read.positionOf(path);
        return `${read.file}:${line}:${column}`;
      };
      context.stdout.write(options.json ? json(answerJson(answer, placeOf)) : answerText(answer, placeOf));
      onStatus(answer.outcome === "allow" ? ExitCode.ok : ExitCode.refused);
    });
}

function answerText(answer: PolicyAnswer, placeOf: PlaceOf): string {
  const assuming = listRows("assuming", answer.assumed);
  if (answer.outcome === "allow") return `allowed\n${rows([...allowedRows(answer, placeOf), ...assuming])}`;
  return `refused: ${printable(answer.code)}\n${caret(answer)}${rows([...refusedRows(answer, placeOf), ...assuming])}`;
}

/** Both lines are printable already. */
function caret({ caret }: RefusedAnswer): string {
  return caret === null ? "" : `${caret.replace(/^/gm, "  ").trimEnd()}\n`;
}

const AS: Record<Exclude<AllowedAnswer["as"], "commands">, string> = {
  shell: "whatever the account may (mode: shell)",
  prompt: "a prompt for the commands of the list",
  files: "a transfer of files; each file is judged on the host",
};

function allowedRows(answer: AllowedAnswer, placeOf: PlaceOf): Row[] {
  const stages = answer.stages.flatMap((stage): Row[] => {
    const how = [
      ...(stage.runAs === null ? [] : [`as ${stage.runAs} by sudo`]),
      `in ${stage.directory}`,
      ...(stage.timeLimit === null ? [] : [`at most ${stage.timeLimit} s`]),
      ...(stage.outputLimit === null ? [] : [`at most ${stage.outputLimit} bytes of output`]),
      ...(stage.runAs === null ? [`confinement ${stage.confinement}`] : ["not confined"]),
    ];
    return [
      ["rule", `${stage.rule} (${stage.path === null ? "the host's own policy" : placeOf(stage.path)})`],
      ["runs", [stage.program, ...stage.argv.slice(1)].map(wordText).join(" ")],
      ["", how.join(", ")],
    ];
  });
  return [
    ["engagement", `${answer.engagement} (${placeOf(answer.path)})`],
    ...(answer.as === "commands" ? stages : [["gives", AS[answer.as]] as const]),
    ["until", isoSeconds(answer.until)],
    ...listRows("also by", answer.others),
  ];
}

function refusedRows(answer: RefusedAnswer, placeOf: PlaceOf): Row[] {
  return [
    ...(answer.engagement === null
      ? []
      : [["engagement", `${answer.engagement} (${placeOf(answer.path)})`] as const]),
    ["why", answer.detail],
    ...(answer.byLocalPolicy ? [["by", "the host's own policy; the engagement allows it"] as const] : []),
    ...listRows("allowed", answer.usages),
  ];
}

function answerJson(answer: PolicyAnswer, placeOf: PlaceOf) {
  const { path, ...rest } = answer;
  const at = path.length === 0 ? null : placeOf(path);
  if (rest.outcome === "refuse") return { ...rest, at };
  const stages = rest.stages.map(({ path, ...stage }) => ({
    ...stage,
    at: path === null ? null : placeOf(path),
  }));
  return { ...rest, at, stages, until: isoSeconds(rest.until) };
}
