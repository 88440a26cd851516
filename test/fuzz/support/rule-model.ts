import type { Argument, CommandRule, Value } from "@sallyport/core/commands/command-rule.ts";

/**
 * Whether a rule allows these arguments, written anew and as plainly as can be: every way is tried, one after another. Patterns are
 * JavaScript's, and there are no files.
 */
export function modelAllows(rule: CommandRule, words: readonly string[]): boolean {
  return allows(rule, rule.arguments, words, true);
}

function allows(
  rule: CommandRule,
  more: readonly Argument[],
  words: readonly string[],
  open: boolean,
): boolean {
  const [word, ...others] = words;
  if (open && word !== undefined)
    for (const flag of rule.flags) {
      if (typeof flag === "string") {
        if (word === flag && allows(rule, more, others, word !== "--")) return true;
        continue;
      }
      const [value, ...behind] = others;
      const isSeparate = word === flag.flag && !flag.flag.endsWith("=");
      if (isSeparate && value !== undefined && fits(flag.value, value) && allows(rule, more, behind, open))
        return true;
      const prefix = flag.flag.endsWith("=")
        ? flag.flag
        : /^--./.test(flag.flag)
          ? `${flag.flag}=`
          : flag.flag.length === 2 && flag.flag !== "--"
            ? flag.flag
            : null;
      if (prefix === null || isSeparate || !word.startsWith(prefix)) continue;
      if (fits(flag.value, word.slice(prefix.length), true) && allows(rule, more, others, open)) return true;
    }
  const [argument, ...rest] = more;
  if (argument === undefined) return words.length === 0;
  if (typeof argument === "object") {
    if ("optional" in argument)
      return allows(rule, [...argument.optional, ...rest], words, open) || allows(rule, rest, words, open);
    if ("rest" in argument)
      return (
        allows(rule, rest, words, open) ||
        (word !== undefined && allows(rule, more, others, open && word !== "--"))
      );
    if ("repeated" in argument) {
      const { repeated, from, to } = argument;
      const next: Argument[] =
        to > 1 ? [{ repeated, from: Math.max(0, from - 1), to: to - 1 }, ...rest] : rest;
      return (
        (from === 0 && allows(rule, rest, words, open)) ||
        (word !== undefined && fits(repeated, word) && allows(rule, next, others, open && word !== "--"))
      );
    }
  }
  return word !== undefined && fits(argument, word) && allows(rule, rest, others, open && word !== "--");
}

function fits(value: Value, word: string, joined = false): boolean {
  if (typeof value === "string") return word === value;
  if ("oneOf" in value) return value.oneOf.includes(word);
  if ("integer" in value) {
    const { from, to } = value.integer;
    return Array.from({ length: to - from + 1 }, (_, n) => String(from + n)).includes(word);
  }
  if ("matches" in value)
    return (joined || word[0] !== "-") && new RegExp(`^(?:${value.matches})$`).test(word);
  return false;
}
