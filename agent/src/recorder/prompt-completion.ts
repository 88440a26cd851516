import type { CommandRules } from "@sallyport/core/commands/match.ts";
import { parseLine } from "@sallyport/core/commands/parse-line.ts";

/** What the prompt knows by itself. */
export const PROMPT_WORDS: readonly string[] = ["help", "exit"];

/** What could stand instead of the last piece of a line, as readline(3)'s completer has it: words as they are typed. */
export interface Completion {
  words: string[];
  /** The piece of the line that each of the words begins with. */
  piece: string;
}

/** Completes a line that ends at the cursor: programs, and what arguments can be listed. Pieces with quotes are left alone. */
export function complete(rules: Pick<CommandRules, "complete">, line: string): Completion {
  const piece = /[^\s|]*$/.exec(line)?.[0] ?? "";
  if (/["'\\]/.test(piece)) return { words: [], piece };
  // A word in the place of the piece: so that the line parses where only a program or an argument is missing.
  const parsed = parseLine(`${line.slice(0, line.length - piece.length)}x`, { pipes: true });
  if (!parsed.ok) return { words: [], piece };
  const before = (parsed.stages.at(-1) ?? []).slice(0, -1).map(({ text }) => text);
  const isFirst = parsed.stages.length === 1;
  return { words: [...known(rules, before, piece, isFirst)].sort(), piece };
}

function known(
  rules: Pick<CommandRules, "complete">,
  before: readonly string[],
  piece: string,
  isFirst: boolean,
): Set<string> {
  const isHelp = isFirst && before.length === 1 && before[0] === "help";
  const asked = isHelp ? [] : before;
  const own = isFirst && before.length === 0 ? PROMPT_WORDS.filter((word) => word.startsWith(piece)) : [];
  return new Set([...own, ...rules.complete([...asked, piece]).map(asTyped)]);
}

/** A word as the parser reads it back: in single quotes where something in it would not stand for itself. */
function asTyped(word: string): string {
  return /^[\w%+,./:=@^-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
