import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { dirname } from "node:path";
import { type Figure, verdict } from "./figure.ts";

/** What the figures depend on besides the code. */
export interface Machine {
  processor: string;
  cores: number;
  memoryMB: number;
  kernel: string;
  node: string;
  openssh: string;
  commit: string;
  /** Others at work before we began: with more than a little, the figures say less. */
  loadBefore: number;
}

/** Describes this machine; call it before the work begins. */
export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryMB: Math.round(totalmem() / 1e6),
    kernel: release(),
    node: process.version,
    // ssh -V prints on standard error.
    openssh: spawnSync("ssh", ["-V"], { encoding: "utf8" }).stderr.split(",")[0] ?? "",
    commit: commit(),
    loadBefore: loadavg()[0] ?? 0,
  };
}

function commit(): string {
  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd: import.meta.dirname, encoding: "utf8" }).trim();
  try {
    return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain") === "" ? "" : ", changed"}`;
  } catch {
    return "unknown"; // a copy without its history
  }
}

/** The figures as a table for people. */
export function tableText(figures: readonly Figure[]): string {
  const rows = [
    ["BENCHMARK", "FIGURE", "PLAIN", "SALLYPORT", "MEASURED", "95 %", "TARGET", "RUNS", ""],
    ...figures.map(row),
  ];
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return `${rows.map(line).join("\n")}\n`;
}

function row(figure: Figure): string[] {
  const { bench, name, kind, unit, plain, sallyport, measured, interval, target, runs } = figure;
  const sign = kind === "difference" && measured >= 0 ? "+" : "";
  const digits =
    unit === "sessions"
      ? 0
      : unit === "MB"
        ? measured < 10
          ? 2
          : 0
        : unit === "×" || Math.abs(measured) < 10
          ? 3
          : 1;
  const ms = (value: number | null) => (value === null ? "" : `${value.toFixed(value < 10 ? 3 : 1)} ms`);
  return [
    bench,
    name,
    ms(plain),
    ms(sallyport),
    `${sign}${measured.toFixed(digits)} ${unit}`,
    interval === null ? "" : interval.map((end) => end.toFixed(digits)).join(" … "),
    target === null ? "" : `${kind === "rate" ? "≥" : "≤"} ${target} ${unit}`,
    String(runs),
    verdict(figure),
  ];
}

/** Writes everything for machines. */
export function writeJson(file: string, machine: Machine, begun: Date, figures: readonly Figure[]): void {
  mkdirSync(dirname(file), { recursive: true });
  const judged = figures.map((figure) => ({ ...figure, verdict: verdict(figure) || null }));
  const seconds = Math.round((Date.now() - begun.getTime()) / 1000);
  const loadAfter = Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0]);
  const content = { version: 1, begun, seconds, machine, loadAfter, figures: judged };
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
}
