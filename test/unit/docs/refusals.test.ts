import assert from "node:assert/strict";
import { textOf } from "./markdown.ts";

/** The members of a union of literals, as they stand in the source, in their order. */
function members(source: string, type: string): string[] {
  const union = new RegExp(`export type ${type} =([^;]+);`).exec(source)?.[1] ?? "";
  return [...union.matchAll(/"([a-z-]+)"/g)].map((match) => String(match[1]));
}

/** The codes in the first column of the tables below a heading. */
function documented(page: string, heading: string): string[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(heading)) ?? "";
  return [...section.matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => String(match[1]));
}

describe("docs/refusals.md", () => {
  const source = textOf("core/src/policy/refusal.ts");
  const page = textOf("docs/refusals.md");

  it("has every code that is never told, in the order of the checks", () => {
    assert.deepEqual(documented(page, "Who is it?"), members(source, "RefusalCode"));
  });

  it("has every code that is told, in the order of the checks", () => {
    assert.deepEqual(documented(page, "May this person?"), members(source, "ToldRefusalCode"));
  });

  it("has the codes that only a session is refused with", () => {
    const server = textOf("agent/src/sessions/session-server.ts");
    const codes = new Set([...server.matchAll(/SessionRefused\(\s*"([a-z-]+)"/g)].map((match) => match[1]));
    const told = new Set(members(source, "ToldRefusalCode"));
    assert.ok(codes.size > 3);
    assert.deepEqual(
      documented(page, "A session, after the login").sort(),
      [...codes].filter((code) => !told.has(String(code))).sort(),
    );
  });
});
