import type { CompiledRule } from "./compiled-rule.ts";
import { baseName, type RuleIndex } from "./rule-index.ts";
import { typedName } from "./rule-program.ts";
import { walk } from "./walk.ts";

/** More are of no use to anybody. */
const MAX_COMPLETIONS = 200;

/**
 * What could stand as the last of some words, which may be unfinished or empty: programs, then what of an argument can be
 * listed, then flags. Files are not looked at. Every grant must have it; order is the first grant's.
 */
export function completions(grants: readonly RuleIndex[], words: readonly string[]): string[] {
  const [first, ...others] = grants;
  const last = words.at(-1);
  if (first === undefined || last === undefined) return [];
  const before = words.slice(0, -1);
  const found = new Set<string>();
  for (const rule of rulesFor(first, before))
    for (const word of candidates(rule, before, last)) {
      if (found.size >= MAX_COMPLETIONS) return [...found];
      if (!word.startsWith(last) || found.has(word)) continue;
      const whole = [...before, word];
      if (others.every((grant) => rulesFor(grant, whole).some((one) => mayBegin(one, whole))))
        found.add(word);
    }
  return [...found];
}

function rulesFor(grant: RuleIndex, words: readonly string[]): readonly CompiledRule[] {
  const [typed] = words;
  return typed === undefined
    ? grant.rules
    : (grant.of(typed)?.rules ?? []).filter(({ rule }) => isCalled(rule.program, typed));
}

function isCalled(program: string, typed: string): boolean {
  return (
    program === typed ||
    baseName(program) === typed ||
    (typed.startsWith("/") && typed === `${typed.slice(0, typed.lastIndexOf("/"))}/${program}`)
  );
}

/** Whether these words are the beginning of what a rule allows. */
function mayBegin(rule: CompiledRule, words: readonly string[]): boolean {
  return walk(rule, words.slice(1), null).taken === words.length - 1;
}

function candidates(rule: CompiledRule, before: readonly string[], last: string): string[] {
  const { program } = rule.rule;
  if (before.length === 0) return [last.startsWith("/") ? program : typedName(program)];
  const { taken, places } = walk(rule, before.slice(1), null);
  if (taken < before.length - 1) return [];
  return places.flatMap((place) => {
    if (place.waiting !== null) return place.waiting.value?.words ?? [];
    const step = rule.steps[place.step];
    const values = step?.kind === "value" || step?.kind === "repeat" ? (step.value.words ?? []) : [];
    return [...values, ...(place.open ? flags(rule, last) : [])];
  });
}

/** Flags, and, where one is given with a `=`, those with what they take. */
function flags(rule: CompiledRule, last: string): string[] {
  return rule.flags.flatMap(({ flag, prefix, value }) => {
    if (prefix === null || !last.startsWith(prefix) || (prefix === last && !prefix.endsWith("=")))
      return [flag];
    return (value?.words ?? []).map((word) => `${prefix}${word}`);
  });
}
