import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import { PolicyFile } from "@sallyport/core/policy/policy-file.ts";
import type { PolicyAnswer, PolicyQuestion } from "@sallyport/core/policy-test/question.ts";
import { testPolicy } from "@sallyport/core/policy-test/test-policy.ts";
import { readYaml } from "@sallyport/core/yaml/read-yaml.ts";

const EXAMPLES = join(import.meta.dirname, "../../../../docs/examples/policy");

/** A Wednesday, 10:00 in Berlin. */
export const NOW = Date.UTC(2026, 10, 11, 9) / 1000;

/** A policy file of the documentation. */
export function example(name: string): PolicyFile {
  return readYaml(readFileSync(join(EXAMPLES, name), "utf8"), name, PolicyFile).value;
}

export function local(text: string): LocalPolicy {
  return readYaml(text, "local.yaml", LocalPolicy).value;
}

/** Alice asks, of an example. */
export function ask(
  file: string | PolicyFile,
  host: string,
  account: string,
  command: PolicyQuestion["command"],
  more: Partial<PolicyQuestion> = {},
): PolicyAnswer {
  return testPolicy({
    policy: typeof file === "string" ? example(file) : file,
    locals: [],
    member: "alice@acme.example",
    host: { name: host, labels: {} },
    account,
    now: NOW,
    sourceAddress: null,
    command,
    ...more,
  });
}
