import { printable } from "../terminal-text.ts";
import { textColumns } from "./text-width.ts";

const COLUMNS = 76;
/** More than so many characters before and after the caret are never shown. */
const AROUND = COLUMNS * 4;

/** A character as it is shown, and how wide that is. */
interface Cell {
  text: string;
  columns: number;
}

/**
 * Two lines for a terminal: the line around an offset (in UTF-16 units), and a `^` under it. Neither is wider than 76 columns, nor
 * does anything in them act on a terminal.
 */
export function caretText(line: string, offset: number): string {
  const at = Math.max(0, Math.min(offset, line.length));
  const from = between(line, Math.max(0, at - AROUND));
  const to = between(line, Math.min(line.length, at + AROUND));
  const before = cells(line.slice(from, between(line, at)));
  const after = cells(line.slice(between(line, at), to));
  const wanted = widthOf(after);
  const fitsWhole = to - from === line.length && widthOf(before) + Math.max(wanted, 1) <= COLUMNS;
  // Where it does not fit: half of the room for what comes before the character, or more where less comes after it.
  const own = after[0]?.columns ?? 1;
  const room = COLUMNS - own - 2;
  const nearest = before.toReversed();
  const left = fitsWhole ? nearest : fitting(nearest, Math.max(room - (wanted - own), Math.floor(room / 2)));
  const right = fitsWhole ? after : fitting(after, COLUMNS - 2 - widthOf(left));
  const head = `${left.length < before.length || from > 0 ? "…" : ""}${textOf(left.toReversed())}`;
  const tail = `${textOf(right)}${right.length < after.length || to < line.length ? "…" : ""}`;
  return `${head}${tail}\n${" ".repeat(textColumns(head))}^`;
}

/** The same place, or the one before it when it is inside a pair of surrogates. */
function between(line: string, at: number): number {
  const isInside = at > 0 && /^[\ud800-\udbff][\udc00-\udfff]$/.test(line.slice(at - 1, at + 1));
  return isInside ? at - 1 : at;
}

function cells(text: string): Cell[] {
  return Array.from(text, (char) => {
    const shown = printable(char);
    return { text: shown, columns: textColumns(shown) };
  });
}

function widthOf(some: readonly Cell[]): number {
  return some.reduce((sum, { columns }) => sum + columns, 0);
}

function textOf(some: readonly Cell[]): string {
  return some.map(({ text }) => text).join("");
}

/** As many from the front as are not wider than this; at least the first. */
function fitting(some: readonly Cell[], columns: number): Cell[] {
  let sum = 0;
  const end = some.findIndex((cell, index) => {
    sum += cell.columns;
    return sum > columns && index > 0;
  });
  return some.slice(0, end < 0 ? some.length : end);
}
