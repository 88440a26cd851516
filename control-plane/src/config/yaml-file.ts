import { SallyportError } from "@sallyport/core/errors.ts";
import { type Document, isMap, isNode, isPair, isScalar, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";

/** A YAML file that passed its schema, and a way to say where in it something stands. */
export interface ReadYaml<T> {
  value: T;
  /** An error of code `config-invalid` that points at `path`. */
  errorAt(path: readonly PropertyKey[], message: string): SallyportError;
}

/**
 * Reads YAML text with a schema. Every mistake (syntax, wrong type, unknown or doubled key) is a `config-invalid` whose
 * message starts with `file:line:column`; all of them are listed, not only the first. Aliases are limited, so that a
 * file cannot grow without bounds.
 */
export function readYaml<T>(text: string, file: string, schema: z.ZodType<T>): ReadYaml<T> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => `${place(error.pos[0])}: ${firstLine(error.message)}`);
    throw new SallyportError("config-invalid", problems.join("\n"));
  }
  const at = (path: readonly PropertyKey[]) => place(offsetOf(document, path));
  const result = schema.safeParse(document.toJS({ maxAliasCount: 100 }));
  if (!result.success) {
    const problems = result.error.issues.flatMap((issue) => describe(issue, at));
    throw new SallyportError("config-invalid", problems.join("\n"));
  }
  return {
    value: result.data,
    errorAt: (path, message) => new SallyportError("config-invalid", `${at(path)}: ${message}`),
  };
}

function describe(issue: z.core.$ZodIssue, at: (path: readonly PropertyKey[]) => string): string[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return `${at(path)}: unknown key "${path.join(".")}"`;
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
