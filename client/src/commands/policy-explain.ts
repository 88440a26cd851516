import type { Explanation } from "@sallyport/core/policy-test/explain-policy.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Command } from "commander";
import type { Context } from "../context.ts";
import { json } from "../output/json.ts";
import { labelsOf } from "../policy/parse-options.ts";
import { type ReadPolicy, readAnyPolicy } from "../policy/read-policy.ts";
import { type Row, rows } from "../policy/rows.ts";
import { examples } from "./command.ts";

interface Options {
  member?: string;
  host?: string;
  label: string[];
  json?: boolean;
}

/** `sallyport policy explain` */
export function registerPolicyExplain(policy: Command, context: Context): void {
  policy
    .command("explain")
    .summary("who may do what, where, until when, in words")
    .description(
      "Say in words what a policy file grants: who, where, as whom, when, and what. Of a local policy: what it takes away.",
    )
    .argument("<file>", "the file; - for standard input")
    .option("--member <e-mail>", "only what this member has")
    .option("--host <name>", "only what is granted on this host")
    .option("--label <key=value...>", "labels of that host", [])
    .option("--json", "as one JSON object")
    .addHelpText(
      "after",
      examples(
        "sallyport policy explain policy.yaml",
        "sallyport policy explain policy.yaml --member alice@acme.example --host web-1 --label env=production",
        "sallyport policy explain /etc/sallyport/policy.d/10-host.yaml",
      ),
    )
    .action(async (file: string, options: Options) => {
      const list = await explain(readAnyPolicy(file), options);
      context.stdout.write(options.json ? json(list) : list.map(explanationText).join("\n"));
      if (list.length === 0 && !options.json) context.stderr.write("Nothing is granted there.\n");
    });
}

type Placed = Omit<Explanation, "path" | "engagement"> & { engagement: string | null; at: string };

async function explain({ kind, file, read }: ReadPolicy, options: Options): Promise<Placed[]> {
  // Loaded when it is wanted: every other command starts without.
  const [{ explainLocalPolicy }, { explainPolicy }] = await Promise.all([
    import("@sallyport/core/policy-test/explain-local-policy.ts"),
    import("@sallyport/core/policy-test/explain-policy.ts"),
  ]);
  if (kind === "local") return [{ engagement: null, at: file, ...explainLocalPolicy(read.value) }];
  const { member, host } = options;
  return explainPolicy(read.value, { member, host, labels: labelsOf(options.label) }).map(
    ({ path, ...rest }) => {
      const { line, column } = read.positionOf(path);
      return { ...rest, at: `${file}:${line}:${column}` };
    },
  );
}

function explanationText({ engagement, at, sentences, commands }: Placed): string {
  const heading = engagement === null ? `local policy (${at})` : `${engagement} (${at})`;
  const list = sentences.flatMap(({ topic, text }): Row[] => [
    [topic, text],
    ...(topic === "what" ? commands.map(commandRow) : []),
  ]);
  return `${printable(heading)}\n${rows(list)}`;
}

function commandRow({ usage, description, how }: Explanation["commands"][number]): Row {
  const more = [...(description === null ? [] : [description]), ...(how === "" ? [] : [how])].join("; ");
  return ["", more === "" ? `  ${usage}` : `  ${usage}  (${more})`];
}
