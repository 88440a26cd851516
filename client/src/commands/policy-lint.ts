import type { Finding } from "@sallyport/core/commands/lint/finding.ts";
import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Command } from "commander";
import type { Context } from "../context.ts";
import { ExitCode } from "../exit-codes.ts";
import { json } from "../output/json.ts";
import { readAnyPolicy } from "../policy/read-policy.ts";
import { examples } from "./command.ts";

type Linter = typeof import("@sallyport/core/commands/lint/lint-policy.ts");
type Placed = Finding & { file: string; line: number; column: number };

/** `sallyport policy lint` */
export function registerPolicyLint(
  policy: Command,
  context: Context,
  onStatus: (status: number) => void,
): void {
  policy
    .command("lint")
    .summary("what is dangerous, too wide or without effect in policy files")
    .description(
      "Look for what is dangerous, too wide or without effect: programs that start others, wide patterns, places that should not be " +
        "written to, rules that never count, engagements that overlap. The file is a policy file, or one of a host's " +
        "/etc/sallyport/policy.d. Ends with 0 for nothing but notes, and with 8 for a warning or danger.",
    )
    .argument("<file...>", "the files; - for standard input")
    .option("--json", "as one JSON object")
    .addHelpText(
      "after",
      examples(
        "sallyport policy lint policy.yaml",
        "sallyport policy lint /etc/sallyport/policy.d/*.yaml",
        "sallyport policy lint policy.yaml --json",
      ),
    )
    .action(async (files: string[], options: { json?: boolean }) => {
      const { found, mistakes } = await lintAll(files);
      context.stdout.write(options.json ? json({ findings: found.map(findingJson) }) : findingsText(found));
      if (mistakes !== null) throw mistakes;
      if (!options.json) context.stderr.write(`${summary(found)}\n`);
      onStatus(found.some(({ severity }) => severity !== "note") ? ExitCode.differs : ExitCode.ok);
    });
}

/** What is found in all of the files; what keeps some of them from being read is one error. */
async function lintAll(
  files: readonly string[],
): Promise<{ found: Placed[]; mistakes: SallyportError | null }> {
  // Loaded when it is wanted: every other command starts without.
  const linter = await import("@sallyport/core/commands/lint/lint-policy.ts");
  const mistakes: string[] = [];
  const found = files.flatMap((file) => {
    try {
      return lintOne(file, linter);
    } catch (error) {
      if (!isSallyportError(error, "config-invalid")) throw error;
      mistakes.push(error.message);
      return [];
    }
  });
  return {
    found,
    mistakes: mistakes.length === 0 ? null : new SallyportError("config-invalid", mistakes.join("\n")),
  };
}

function lintOne(name: string, { lintLocalPolicy, lintPolicyFile }: Linter): Placed[] {
  const policy = readAnyPolicy(name);
  const found =
    policy.kind === "local" ? lintLocalPolicy(policy.read.value) : lintPolicyFile(policy.read.value);
  return found.map((finding) => ({ ...finding, file: policy.file, ...policy.read.positionOf(finding.path) }));
}

function findingsText(found: readonly Placed[]): string {
  return found
    .map(
      ({ file, line, column, severity, code, message }) =>
        `${printable(file)}:${line}:${column}: ${severity}: ${printable(message, 2000)} [${code}]\n`,
    )
    .join("");
}

function findingJson({ file, line, column, severity, code, path, message }: Placed) {
  return { file, line, column, severity, code, path: path.map(String).join("."), message };
}

function summary(found: readonly Placed[]): string {
  if (found.length === 0) return "Nothing to remark.";
  const count = (severity: Finding["severity"], name: string) => {
    const number = found.filter((finding) => finding.severity === severity).length;
    return number === 0 ? [] : [`${number} ${name}${number === 1 ? "" : "s"}`];
  };
  return `${[...count("danger", "danger"), ...count("warning", "warning"), ...count("note", "note")].join(", ")}.`;
}
