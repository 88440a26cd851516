import type { Finding } from "@sallyport/core/commands/lint/finding.ts";
import { lintLocalPolicy, lintPolicyFile } from "@sallyport/core/commands/lint/lint-policy.ts";
import { LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import { PolicyFile } from "@sallyport/core/policy/policy-file.ts";
import { readYaml } from "@sallyport/core/yaml/read-yaml.ts";

/** What the linter found, and where in the text. */
export type Found = Finding & { at: string };

/** Lints a policy file's text. */
export function lint(text: string): Found[] {
  const { value, positionOf } = readYaml(text, "policy.yaml", PolicyFile);
  return placed(lintPolicyFile(value), positionOf);
}

/** Lints a host's own policy. */
export function lintLocal(text: string): Found[] {
  const { value, positionOf } = readYaml(text, "local.yaml", LocalPolicy);
  return placed(lintLocalPolicy(value), positionOf);
}

function placed(
  found: readonly Finding[],
  positionOf: (path: readonly PropertyKey[]) => { line: number; column: number },
): Found[] {
  return found.map((finding) => {
    const { line, column } = positionOf(finding.path);
    return { ...finding, at: `${line}:${column}` };
  });
}

/** `line:column severity code` of each. */
export function places(found: readonly Found[]): string[] {
  return found.map(({ at, severity, code }) => `${at} ${severity} ${code}`);
}

/** A policy file whose engagement has these rules, each a map in YAML's flow style: the first is on line 7, from column 9. */
export function withRules(rules: readonly string[], confinement = "required", more = ""): string {
  return `version: 1
engagements:
  - name: acme-web
    mode: commands
    commands:
      rules:
${rules.map((rule) => `      - ${rule}`).join("\n")}
      confinement: ${confinement}
    vendor: acme
    hosts: { names: [web-1] }
    personal: {}
    start: 2026-11-01
    end: 2026-12-01
    contact: dana@example.com
${more}`;
}

/** What is found of one rule under `confinement: required`. */
export function lintRule(rule: string): Found[] {
  return lint(withRules([rule]));
}
