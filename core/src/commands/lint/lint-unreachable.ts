import canonicalize from "canonicalize";
import { type CommandRule, ruleName } from "../command-rule.ts";
import type { Finding } from "./finding.ts";

/** Rules that say nothing, because an earlier one of the list takes all that they would. */
export function lintUnreachable(
  rules: readonly CommandRule[],
  paths: readonly (readonly PropertyKey[])[],
): Finding[] {
  const seen = new Map<string, number>();
  const takers = new Map<string, number>();
  return rules.flatMap((rule, index): Finding[] => {
    const at = paths[index] ?? [];
    const taker = takers.get(rule.program);
    const { program, flags, arguments: args } = rule;
    const call =
      canonicalize({ program, flags: flags.map((flag) => JSON.stringify(flag)).toSorted(), args }) ?? "";
    const same = seen.get(call);
    if (!seen.has(call)) seen.set(call, index);
    if (takesAnything(rule) && !takers.has(program)) takers.set(program, index);
    if (same !== undefined) {
      const message = `It takes the same as rule ${same + 1} (${nameAt(rules, same)}), which comes first: this one never counts.`;
      return [{ severity: "warning", code: "duplicate-rule", path: at, message }];
    }
    if (taker === undefined) return [];
    const message = `Rule ${taker + 1} (${nameAt(rules, taker)}) comes first and takes any arguments of ${program}: this one never counts.`;
    return [{ severity: "warning", code: "shadowed-rule", path: at, message }];
  });
}

function takesAnything({ arguments: args }: CommandRule): boolean {
  const [first] = args;
  return args.length === 1 && typeof first === "object" && "rest" in first;
}

function nameAt(rules: readonly CommandRule[], index: number): string {
  const rule = rules[index];
  return rule === undefined ? "" : ruleName(rule);
}
