import type { ChangedField } from "@sallyport/core/policy/changed-fields.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Acknowledgements } from "../api/control-plane.ts";

/** Fields with what they were and what they are, as a diff has it. Lists show only what came and what went. */
export function changesText(changes: readonly ChangedField[], indent = "  "): string {
  return changes
    .flatMap(({ field, before, after }) => [
      `${indent}${printable(field)}:`,
      ...lines(before, after, "-").map((line) => `${indent}  ${line}`),
      ...lines(after, before, "+").map((line) => `${indent}  ${line}`),
    ])
    .map((line) => `${line}\n`)
    .join("");
}

function lines(value: unknown, other: unknown, sign: string): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return [`${sign} ${shown(value)}`];
  const others = new Set((Array.isArray(other) ? other : []).map(shown));
  const own = value.map(shown).filter((one) => !others.has(one));
  // The same in another order, or none at all.
  if (own.length === 0 && others.size === value.length) return [`${sign} ${shown(value)}`];
  return own.map((one) => `${sign} ${one}`);
}

function shown(value: unknown): string {
  return printable(typeof value === "string" ? value : JSON.stringify(value), 2000);
}

/** Which hosts know of a change, and what becomes of those that do not. */
export function acknowledgementText({ hosts }: Acknowledgements): string {
  return hosts
    .map(
      ({ host, acknowledged }) =>
        `  ${printable(host)}: ${acknowledged ? "acknowledged" : "NOT acknowledged yet; it takes effect when the host connects, or its lease ends"}\n`,
    )
    .join("");
}
