import assert from "node:assert/strict";
import { Configuration } from "@sallyport/control-plane/config/configuration.ts";
import { LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import { PolicyFile } from "@sallyport/core/policy/policy-file.ts";
import { z } from "zod";
import { AgentConfig } from "../../../agent/src/configuration/agent-config.ts";
import { textOf } from "./markdown.ts";

const TABLES: [page: string, heading: string, schema: z.ZodType][] = [
  ["docs/operating/control-plane.md", "`control-plane.yaml`", Configuration],
  ["docs/operating/engagements.md", "The policy file", PolicyFile],
  ["docs/operating/hosts.md", "`agent.yaml`", AgentConfig],
  ["docs/operating/hosts.md", "Local policy", LocalPolicy],
];

/** A key as its schema has it: `engagements[].mfa.level`. */
interface Key {
  path: string;
  /** As the schema's default; undefined where there is none. */
  byDefault: unknown;
}

interface Row {
  keys: string[];
  text: string;
  /** The cells behind the first. */
  cells: string[];
}

interface Json {
  properties?: Record<string, Json>;
  items?: Json;
  anyOf?: Json[];
  oneOf?: Json[];
  default?: unknown;
}

/** Every key of a schema that holds no other keys; a record's names are the writer's own. */
function keysOf(schema: z.ZodType): Key[] {
  const walk = (node: Json, path: string): Key[] => {
    const inner = [
      ...Object.entries(node.properties ?? {}).flatMap(([name, child]) =>
        walk(child, path === "" ? name : `${path}.${name}`),
      ),
      ...(node.items === undefined ? [] : walk(node.items, `${path}[]`)),
      ...[...(node.anyOf ?? []), ...(node.oneOf ?? [])].flatMap((one) => walk(one, path)),
    ].filter((key) => key.path !== path && key.path !== `${path}[]`);
    return inner.length > 0 ? inner : [{ path, byDefault: node.default }];
  };
  const json = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Json;
  return [...new Map(walk(json, "").map((key) => [key.path, key])).values()];
}

/** The rows of the first table below a heading. `.x` behind `a.b` stands for `a.x`. */
function rowsOf(page: string, heading: string): Row[] {
  const section = page.split(/^##+ /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  const table = /^\| key \|(?:.|\n\|)+/m.exec(section)?.[0] ?? "";
  return table
    .split("\n")
    .slice(2)
    .map((text) => {
      const [, first = "", ...cells] = text.split(/(?<!\\)\|/).map((cell) => cell.trim());
      const keys: string[] = [];
      for (const [, key = ""] of first.matchAll(/`([\w.[\]]+)(?:: [\w]+)?`/g)) {
        const parent = keys.at(-1)?.replace(/\.\w+$/, "") ?? "";
        keys.push(key.startsWith(".") ? `${parent}${key}` : key);
      }
      return { keys, text, cells };
    });
}

/** The row that tells of a key: its own, or that of what it stands in, which must name it. */
function rowFor(path: string, rows: readonly Row[]): Row | undefined {
  const own = rows.find(({ keys }) => keys.includes(path) || keys.includes(`${path}[]`));
  if (own !== undefined) return own;
  const parts = path.split(".");
  for (let length = parts.length - 1; length > 0; length -= 1) {
    const above = parts.slice(0, length).join(".");
    const names = parts.slice(length).map((part) => part.replace("[]", ""));
    const found = rows.filter(
      ({ keys }) => keys.includes(above) || keys.includes(above.replace(/\[\]$/, "")),
    );
    const row = found.find(({ text }) => names.every((name) => new RegExp(`\\b${name}\\b`).test(text)));
    if (row !== undefined) return row;
  }
  return undefined;
}

describe("the keys in docs/operating", () => {
  for (const [page, heading, schema] of TABLES) {
    const rows = rowsOf(textOf(page), heading);
    const keys = keysOf(schema);

    it(`${heading}: has every key of the schema`, () => {
      assert.ok(keys.length > 10);
      assert.deepEqual(
        keys.map(({ path }) => path).filter((path) => rowFor(path, rows) === undefined),
        [],
      );
    });

    it(`${heading}: has no key that the schema has not`, () => {
      const known = keys.map(({ path }) => path);
      const isKnown = (key: string) =>
        known.some((path) => path === key || [".", "["].some((sign) => path.startsWith(`${key}${sign}`)));
      assert.deepEqual(
        rows.flatMap((row) => row.keys).filter((key) => !isKnown(key)),
        [],
      );
      for (const { text, cells } of rows) assert.ok((cells.at(-2) ?? "") !== "", `no meaning: ${text}`);
    });

    it(`${heading}: has the schema's defaults`, () => {
      for (const { path, byDefault } of keys) {
        const row = rows.find((one) => one.keys.includes(path));
        // Cells: default, meaning, and what stands behind the last bar. The local policies' table has no defaults.
        if (row?.cells.length !== 3 || !["string", "number", "boolean"].includes(typeof byDefault)) continue;
        const [defaults = ""] = row.cells;
        assert.ok(defaults.includes(`\`${String(byDefault)}\``), `${path}: ${String(byDefault)}`);
      }
    });
  }

  it("would show a key that is missing", () => {
    const rows = rowsOf(textOf("docs/operating/hosts.md"), "`agent.yaml`");
    assert.equal(rowFor("notThere", rows), undefined);
    assert.equal(rowFor("personalUids.nowhere", rows), undefined);
    assert.notEqual(rowFor("personalUids.from", rows), undefined);
  });
});
