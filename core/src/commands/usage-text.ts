import { printable } from "../terminal-text.ts";
import type { Argument, CommandRule, Flag, Value } from "./command-rule.ts";
import { typedName } from "./rule-program.ts";

const MAX_CHOICES = 12;
const MAX_TEXT = 80;
const MAX_USAGE = 500;

/** How a rule's command is typed: `tail [-n 1..1000] /var/log/…`. It is printable, and for people. */
export function usageText(rule: CommandRule): string {
  const parts = [
    typedName(rule.program),
    ...rule.flags.map((flag) => `[${flagText(flag)}]`),
    ...rule.arguments.map(argumentText),
  ];
  return printable(parts.join(" "), MAX_USAGE);
}

function flagText(flag: Flag): string {
  if (typeof flag === "string") return wordText(flag);
  return `${wordText(flag.flag)}${flag.flag.endsWith("=") ? "" : " "}${valueText(flag.value)}`;
}

function argumentText(argument: Argument): string {
  if (typeof argument === "object") {
    if ("rest" in argument) return "[…]";
    if ("optional" in argument) return `[${argument.optional.map(valueText).join(" ")}]`;
    if ("repeated" in argument) {
      const { repeated, from, to } = argument;
      const text = `${valueText(repeated)}${to > 1 ? " …" : ""}`;
      return from === 0 ? `[${text}]` : text;
    }
  }
  return valueText(argument);
}

/** What an argument may be, as a usage has it: `nginx|redis`, `1..1000`, `/var/log/…`, or a pattern between slashes. */
export function valueText(value: Value): string {
  if (typeof value === "string") return wordText(value);
  if ("oneOf" in value) {
    const words = value.oneOf.slice(0, MAX_CHOICES).map(wordText);
    return `${words.join("|")}${value.oneOf.length > MAX_CHOICES ? "|…" : ""}`;
  }
  if ("integer" in value) return `${value.integer.from}..${value.integer.to}`;
  if ("matches" in value) return `/${printable(value.matches, MAX_TEXT)}/`;
  return printable(value.under === "/" ? "/…" : `${value.under}/…`, MAX_TEXT);
}

/** A word as it is typed: in quotes where it needs them. */
export function wordText(word: string): string {
  const shown = printable(word, MAX_TEXT);
  return /^[\p{L}\p{N}%+,./:=@_^-]+$/u.test(word) ? shown : `'${shown.replaceAll("'", "'\\''")}'`;
}
