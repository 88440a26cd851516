import { printable } from "@sallyport/core/terminal-text.ts";

/** A name and what it says; without a name it goes on with the one before. */
export type Row = readonly [name: string, text: string];

const MAX_TEXT = 4000;

/** Rows below a heading, the names in one column. */
export function rows(list: readonly Row[]): string {
  const width = Math.max(...list.map(([name]) => name.length), 0);
  return list.map(([name, text]) => `  ${name.padEnd(width)}  ${printable(text, MAX_TEXT)}\n`).join("");
}

/** The first row has the name, the others go on with it. */
export function listRows(name: string, list: readonly string[]): Row[] {
  return list.map((text, index) => [index === 0 ? name : "", text]);
}
