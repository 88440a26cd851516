import type { Argument, CommandRule } from "./command-rule.ts";
import { type CompiledFlag, compileFlag } from "./compiled-flag.ts";
import { type CompiledValue, compileValue } from "./compiled-value.ts";

/** One place in the list of arguments, flattened: places only ever lead to later ones. */
export type Step =
  | { kind: "value"; value: CompiledValue }
  /** What follows, or from step `otherwise` on. */
  | { kind: "fork"; otherwise: number }
  | { kind: "repeat"; value: CompiledValue; from: number; to: number }
  | { kind: "rest" };

/** A {@link CommandRule} made ready. */
export interface CompiledRule {
  rule: CommandRule;
  /** Its place among the rules of its grant. */
  order: number;
  flags: readonly CompiledFlag[];
  steps: readonly Step[];
  /** Of each argument that has to be there, and can be listed, all that it may be. */
  mandatory: readonly (readonly string[])[];
}

/** Makes a rule ready. Throws a TypeError for a pattern that is none. */
export function compileRule(rule: CommandRule, order: number): CompiledRule {
  const steps: Step[] = [];
  const mandatory: (readonly string[])[] = [];
  const must = ({ words }: CompiledValue) => {
    if (words !== null) mandatory.push(words);
  };
  for (const argument of rule.arguments) {
    const added = stepsOf(argument, steps.length);
    const [only] = added;
    if (only?.kind === "value" || (only?.kind === "repeat" && only.from > 0)) must(only.value);
    steps.push(...added);
  }
  return { rule, order, flags: rule.flags.map(compileFlag), steps, mandatory };
}

function stepsOf(argument: Argument, at: number): Step[] {
  if (typeof argument === "object") {
    if ("rest" in argument) return [{ kind: "rest" }];
    if ("optional" in argument) {
      const values = argument.optional.map((value): Step => ({ kind: "value", value: compileValue(value) }));
      return [{ kind: "fork", otherwise: at + 1 + values.length }, ...values];
    }
    if ("repeated" in argument) {
      const { repeated, from, to } = argument;
      return [{ kind: "repeat", value: compileValue(repeated), from, to }];
    }
  }
  return [{ kind: "value", value: compileValue(argument) }];
}
