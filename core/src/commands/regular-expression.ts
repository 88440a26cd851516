import { RE2JS } from "re2js";

/** Instructions of a compiled pattern; a match takes time by their number times the length of the argument. */
const MAX_SIZE = 2000;
/** Length of a pattern times what its counts multiply it by: what compiling it would cost, guessed before it is compiled. */
const MAX_GUESS = 300_000;
/** RE2 takes no more. */
const MAX_COUNT = 1000;
/** Engagements are parsed and compiled again and again, with the same patterns. */
const MAX_KEPT = 5000;

type Compiled = { expression: RE2JS } | { problem: string };
const kept = new Map<string, Compiled>();

/** Why this is no pattern for an argument, in words that follow the pattern; null when it is one. */
export function patternProblem(pattern: string): string | null {
  const compiled = compile(pattern);
  return "problem" in compiled ? compiled.problem : null;
}

/**
 * Whether the pattern matches the whole of the text, in time linear to its length. The syntax is RE2's; `.` and `$` know no lines
 * unless the pattern says so. Throws a TypeError for what {@link patternProblem} has something against.
 */
export function wholeMatch(pattern: string): (text: string) => boolean {
  const compiled = compile(pattern);
  if ("problem" in compiled) throw new TypeError(`${pattern} ${compiled.problem}`);
  const prefix = plainPrefix(pattern);
  return (text) => text.startsWith(prefix) && compiled.expression.testExact(text);
}

/** Characters that every match begins with: of many rules with patterns, most are told apart by them at no cost. */
function plainPrefix(pattern: string): string {
  if (pattern.includes("|")) return "";
  const [prefix = "", more] = /^\^?([A-Za-z0-9_/:@=,-]*)([*+?{]?)/.exec(pattern)?.slice(1) ?? [];
  return more === "" ? prefix : prefix.slice(0, -1);
}

function compile(pattern: string): Compiled {
  const known = kept.get(pattern);
  if (known !== undefined) return known;
  if (kept.size >= MAX_KEPT) kept.clear();
  const compiled = compileAnew(pattern);
  kept.set(pattern, compiled);
  return compiled;
}

function compileAnew(pattern: string): Compiled {
  const large = { problem: "is too large a pattern: its counts multiply to too much" };
  if (guess(pattern) > MAX_GUESS) return large;
  try {
    const expression = RE2JS.compile(pattern);
    return expression.programSize() > MAX_SIZE ? large : { expression };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return {
      problem: `is not a regular expression that RE2 takes: ${why.replace(/^error parsing regexp: /, "")}`,
    };
  }
}

function guess(pattern: string): number {
  const counts = Array.from(pattern.matchAll(/\{(?:\d+,)?(\d+)\}|\{(\d+),\}/g), (found) =>
    Math.max(1, Number(found[1] ?? found[2])),
  );
  return (
    pattern.length *
    Math.min(
      MAX_COUNT,
      counts.reduce((product, count) => product * count, 1),
    )
  );
}
