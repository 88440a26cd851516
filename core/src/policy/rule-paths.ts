import type { CommandRule } from "../commands/command-rule.ts";
import type { PolicyFile } from "./policy-file.ts";

type Path = readonly PropertyKey[];

/**
 * Where each rule of an engagement stands in its policy file, in their order: among its own, or in a set that it uses. `index` is the
 * engagement's place in the file.
 */
export function rulePaths(file: PolicyFile, index: number): Path[] {
  const inSets = new Map<CommandRule, Path>();
  for (const [name, rules] of Object.entries(file.commandSets))
    for (const [place, rule] of rules.entries()) inSets.set(rule, ["commandSets", name, place]);
  // Reading a file puts the rules of sets behind the engagement's own, as they are.
  const rules = file.engagements[index]?.commands?.rules ?? [];
  return rules.map((rule, place) => inSets.get(rule) ?? ["engagements", index, "commands", "rules", place]);
}
