import { printable } from "@sallyport/core/terminal-text.ts";
import type { Finding, Level } from "./check.ts";

const COLOURS: Record<Level, string> = { ok: "2", warning: "33", error: "1;31" };
const LEVEL_WIDTH = 8;
const MAX_LINE = 1000;

/** Exit status of `doctor`: 0 all is well, 3 warnings, 4 at least one error. */
export function exitStatus(findings: readonly Finding[]): number {
  if (findings.some(({ level }) => level === "error")) return 4;
  return findings.some(({ level }) => level === "warning") ? 3 : 0;
}

/** The findings for people: one line where all is well; where not, also why that matters and what mends it. */
export function reportText(findings: readonly Finding[], colours: boolean): string {
  const paint = (level: Level, text: string): string =>
    colours ? `\u001b[${COLOURS[level]}m${text}\u001b[0m` : text;
  const nameWidth = Math.max(...findings.map(({ check }) => check.length), 0);
  const indent = " ".repeat(LEVEL_WIDTH + 1);
  const lines = findings.flatMap(({ check, level, what, why, fix }) => {
    const first = `${level.padEnd(LEVEL_WIDTH)} ${check.padEnd(nameWidth)}  ${printable(what, MAX_LINE)}`;
    if (level === "ok") return [paint(level, first)];
    return [
      paint(level, first),
      `${indent}why: ${printable(why, MAX_LINE)}`,
      `${indent}fix: ${printable(fix, MAX_LINE)}`,
    ];
  });
  return `${[...lines, "", conclusion(findings)].join("\n")}\n`;
}

/** The findings for programs. */
export function reportJson(findings: readonly Finding[]): string {
  const worst = { 0: "ok", 3: "warning", 4: "error" }[exitStatus(findings)];
  return `${JSON.stringify({ v: 1, level: worst, findings }, null, 2)}\n`;
}

function conclusion(findings: readonly Finding[]): string {
  const count = (level: Level): number => findings.filter((finding) => finding.level === level).length;
  const [errors, warnings] = [count("error"), count("warning")];
  if (errors + warnings === 0) return "All is well.";
  const parts = [
    ...(errors > 0 ? [`${errors} error${errors === 1 ? "" : "s"}`] : []),
    ...(warnings > 0 ? [`${warnings} warning${warnings === 1 ? "" : "s"}`] : []),
  ];
  return `${parts.join(", ")}.`;
}
