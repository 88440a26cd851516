import { type Document, isMap, isNode, isPair, isScalar, LineCounter, parseDocument, visit } from "yaml";
import type { z } from "zod";
import { SallyportError } from "../errors.ts";
import { nearestKey } from "./nearest-key.ts";

/** Most mistakes that are told at once. */
const MAX_PROBLEMS = 20;

/** A YAML file that passed its schema, and a way to say where in it something stands. */
export interface ReadYaml<T> {
  value: T;
  /** An error of code `config-invalid` that points at `path`. */
  errorAt(path: readonly PropertyKey[], message: string): SallyportError;
  /** Where `path` stands, or its nearest parent where it is not there; lines and columns begin with 1. */
  positionOf(path: readonly PropertyKey[]): { line: number; column: number };
}

/**
 * Reads YAML text with a schema. Every mistake (syntax, wrong type, unknown or doubled key) is a `config-invalid` whose
 * message starts with `file:line:column`; the first 20 are listed. Aliases are limited, so that a
 * file cannot grow without bounds.
 */
export function readYaml<T>(text: string, file: string, schema: z.ZodType<T>): ReadYaml<T> {
  const lines = new LineCounter();
  // Its warnings would go to standard error by themselves, with text out of the file.
  const options = { lineCounter: lines, uniqueKeys: false, logLevel: "error" } as const;
  const document = bounded(file, () => parseDocument(text, options));
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  // The parser lists what it ran into; where that was the end of the stack, nothing else that it says helps.
  if (document.errors.some(({ message }) => message.startsWith("Maximum call stack"))) throw unreadable(file);
  if (document.errors.length > 0) {
    throw invalid(document.errors, (error) => [`${place(error.pos[0])}: ${firstLine(error.message)}`]);
  }
  const doubled = bounded(file, () => doubledKeys(document));
  if (doubled.length > 0)
    throw invalid(doubled, ({ key, offset }) => [`${place(offset)}: the key ${key} is there twice`]);
  const at = (path: readonly PropertyKey[]) => place(offsetOf(document, path));
  const result = bounded(file, () => schema.safeParse(document.toJS({ maxAliasCount: 100 })));
  if (!result.success) throw invalid(result.error.issues, (issue) => describe(issue, at, schema));
  return {
    value: result.data,
    errorAt: (path, message) => new SallyportError("config-invalid", `${at(path)}: ${message}`),
    positionOf: (path) => {
      const { line, col } = lines.linePos(offsetOf(document, path));
      return { line, column: col };
    },
  };
}

/** Keys that a map has twice. The parser's own check takes the square of their number. */
function doubledKeys(document: Document): { key: string; offset: number }[] {
  const doubled: { key: string; offset: number }[] = [];
  visit(document, {
    Map: (_key, map) => {
      const seen = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        if (seen.has(name)) doubled.push({ key: JSON.stringify(name), offset: key.range?.[0] ?? 0 });
        seen.add(name);
      }
    },
  });
  return doubled;
}

/** What the parser or the schema cannot hold is a mistake of the file too: nesting without end, aliases that multiply. */
function bounded<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw unreadable(file, cause instanceof RangeError ? undefined : "its aliases make it too large");
  }
}

function unreadable(file: string, why = "it is nested too deeply"): SallyportError {
  return new SallyportError("config-invalid", `${file}:1:1: the file cannot be read: ${why}`);
}

function invalid<T>(mistakes: readonly T[], describe: (mistake: T) => string[]): SallyportError {
  const problems = mistakes.slice(0, MAX_PROBLEMS).flatMap(describe).slice(0, MAX_PROBLEMS);
  const more = mistakes.length - MAX_PROBLEMS;
  if (more > 0) problems.push(`${more} more`);
  return new SallyportError("config-invalid", problems.join("\n"));
}

function describe(
  issue: z.core.$ZodIssue,
  at: (path: readonly PropertyKey[]) => string,
  schema: z.core.$ZodType,
): string[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.slice(0, MAX_PROBLEMS).map((key) => {
      const path = [...issue.path, key];
      const near = nearestKey(schema, issue.path, key);
      return `${at(path)}: unknown key "${path.join(".")}"${near === undefined ? "" : `; did you mean "${near}"?`}`;
    });
  }
  const name = issue.path.length === 0 ? "the file" : `"${issue.path.join(".")}"`;
  const missing =
    issue.code === "invalid_type" && issue.input === undefined && /undefined$/.test(issue.message);
  return [`${at(issue.path)}: ${name} ${missing ? "is missing" : `is wrong: ${firstLine(issue.message)}`}`];
}

/** Where `path` stands in the text; for what is not there, where its nearest parent stands. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const offset = keyOffset(document, path.slice(0, length)) ?? nodeOffset(document, path.slice(0, length));
    if (offset !== undefined) return offset;
  }
  return nodeOffset(document, []) ?? 0;
}

function keyOffset(document: Document, path: readonly PropertyKey[]): number | undefined {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return undefined;
  const pair = parent.items.find(
    (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(path.at(-1)),
  );
  return isNode(pair?.key) ? pair.key.range?.[0] : undefined;
}

function nodeOffset(document: Document, path: readonly PropertyKey[]): number | undefined {
  const node = path.length === 0 ? document.contents : document.getIn(path, true);
  return isNode(node) ? node.range?.[0] : undefined;
}

function firstLine(text: string): string {
  return text.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? text;
}
