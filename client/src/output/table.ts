import { printable } from "@sallyport/core/terminal-text.ts";
import Table from "cli-table3";
import type { Output } from "../context.ts";

const NO_LINES = Object.fromEntries(
  [
    ...["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"],
    ...["left", "left-mid", "mid", "mid-mid", "right", "right-mid"],
  ].map((name) => [name, ""]),
);

type Rows = readonly (readonly string[])[];

/** Columns of the terminal that an output is; undefined where it is none, so that programs always get whole lines. */
export function columnsOf({ isTTY, columns }: Output): number | undefined {
  return isTTY && columns ? columns : undefined;
}

/**
 * A plain table with aligned columns, ending with a line end. Every cell passes {@link printable}. Where it is wider than
 * `columns`, each row is a block instead: its first cell, then a line for each other that is not empty.
 */
export function table(head: readonly string[], rows: Rows, columns?: number): string {
  const cells = rows.map((row) => row.map((cell) => printable(cell, 200)));
  const lines = tableLines(head, cells);
  const fits = columns === undefined || lines.every((line) => line.length <= columns);
  return `${(fits ? lines : blockLines(head, cells)).join("\n")}\n`;
}

function tableLines(head: readonly string[], rows: Rows): string[] {
  const grid = new Table({
    chars: { ...NO_LINES, middle: "  " },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
  });
  grid.push([...head], ...rows.map((row) => [...row]));
  return grid
    .toString()
    .split("\n")
    .map((line) => line.trimEnd());
}

/** A column without a name belongs to the one before it. */
function blockLines(head: readonly string[], rows: Rows): string[] {
  const widest = Math.max(...head.map((name) => name.length));
  return rows.flatMap((row) => {
    const lines: string[] = [];
    for (const [index, cell] of row.entries()) {
      const name = head[index] ?? "";
      if (cell === "") continue;
      if (index === 0) lines.push(cell);
      else if (name === "") lines.push(`${lines.pop() ?? ""}  ${cell}`);
      else lines.push(`  ${name.padEnd(widest)}  ${cell}`);
    }
    return lines;
  });
}
