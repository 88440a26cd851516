import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { join } from "node:path";
import { lintLocalPolicy, lintPolicyFile } from "@sallyport/core/commands/lint/lint-policy.ts";
import { parseLine } from "@sallyport/core/commands/parse-line.ts";
import { LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import { PolicyFile } from "@sallyport/core/policy/policy-file.ts";
import { readYaml } from "@sallyport/core/yaml/read-yaml.ts";
import { sallyport } from "../client/in-process.ts";
import { ROOT, textOf } from "./markdown.ts";

const PAGE = "docs/policy.md";
const EXAMPLES = globSync("docs/examples/policy/*.yaml", { cwd: ROOT }).sort();
/** Shown for what is wrong with it. */
const CARELESS = "docs/examples/policy/careless.yaml";

/** The code blocks of a language, each with the line it begins on. */
function blocks(language: string): { line: number; text: string }[] {
  const page = textOf(PAGE);
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map((match) => ({
    line: page.slice(0, match.index).split("\n").length,
    text: String(match[1]),
  }));
}

/** What is grave about a policy; reading it throws where it is none. */
function dangersOf(text: string, file: string): string[] {
  const isLocal = !/^engagements:/m.test(text);
  const found = isLocal
    ? lintLocalPolicy(readYaml(text, file, LocalPolicy).value)
    : lintPolicyFile(readYaml(text, file, PolicyFile).value);
  return found
    .filter(({ severity }) => severity !== "note")
    .map(({ code, message }) => `${code}: ${message}`);
}

/** Runs the commands of a transcript and puts it together anew, with what they print now. */
async function again(transcript: string): Promise<string> {
  let shown = "";
  let last = 0;
  for (const line of transcript.split("\n").filter((one) => one.startsWith("$ "))) {
    shown += `${line}\n`;
    if (line === "$ echo $?") {
      shown += `${last}\n`;
      continue;
    }
    const parsed = parseLine(line.slice(2), { pipes: false });
    assert.ok(parsed.ok, line);
    const [program, ...args] = (parsed.stages[0] ?? []).map(({ text }) => text);
    assert.equal(program, "sallyport");
    const { status, all } = await sallyport(
      ...args.map((arg) => (EXAMPLES.includes(arg) ? join(ROOT, arg) : arg)),
    );
    last = status;
    shown += all.replaceAll(`${ROOT}/`, "");
  }
  return shown;
}

describe(PAGE, () => {
  const yaml = blocks("yaml");
  const transcripts = blocks("console");

  it("has examples, and shows every file of them", () => {
    assert.ok(yaml.length >= 2 && transcripts.length >= 8);
    const page = textOf(PAGE);
    for (const file of EXAMPLES) assert.ok(page.includes(file.replace("docs/", "")), file);
  });

  for (const { line, text } of yaml) {
    it(`has YAML in line ${line} that the linter finds nothing grave in`, () => {
      assert.deepEqual(dangersOf(text, PAGE), []);
    });
  }

  for (const file of EXAMPLES) {
    it(`${file} is a policy${file === CARELESS ? " to be warned of" : " that the linter finds nothing grave in"}`, () => {
      const dangers = dangersOf(textOf(file), file);
      if (file === CARELESS) assert.ok(dangers.length > 5);
      else assert.deepEqual(dangers, []);
    });
  }

  for (const { line, text } of transcripts) {
    it(`shows in line ${line} what the commands print`, async () => {
      assert.equal(text, await again(text));
    });
  }

  it("lists every code of the linter", () => {
    const source = textOf("core/src/commands/lint/finding.ts");
    const union = /export type LintCode =([\s\S]+?);/.exec(source)?.[1] ?? "";
    const codes = [...union.matchAll(/"([a-z-]+)"/g)].map((match) => String(match[1]));
    const section =
      textOf(PAGE)
        .split(/^## /m)
        .find((part) => part.startsWith("The linter")) ?? "";
    const listed = [...section.matchAll(/`([a-z-]+)`(?=[^|]*\|[^|]*\|$)/gm)].map((match) => match[1]);
    assert.ok(codes.length > 20);
    assert.deepEqual(
      codes.filter((code) => !listed.includes(code)),
      [],
    );
  });
});
