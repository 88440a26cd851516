import assert from "node:assert/strict";
import { z } from "zod";
import { CONFIG_FILES, referenceFiles } from "../../../packaging/reference/files.ts";
import { keysOf } from "../../../packaging/reference/keys.ts";
import { textOf } from "./markdown.ts";

describe("the configuration reference", () => {
  for (const [path, text] of Object.entries(referenceFiles()))
    it(`${path} is what the schemas say now`, () => {
      assert.ok(textOf(path) === text, `${path} is stale: npm run docs:config`);
    });

  for (const { path, keys } of CONFIG_FILES)
    it(`${path}: every key says what it means and what may be written`, () => {
      assert.ok(keys.length > 20);
      assert.deepEqual(
        keys.filter(({ description }) => !/^\S.*[.!?]$/s.test(description)).map((key) => key.path),
        [],
      );
      assert.deepEqual(
        keys.filter(({ form }) => form === "" || /undefined|anything/.test(form)).map((key) => key.path),
        [],
      );
    });

  it("tells of nested keys, limits, choices and defaults", () => {
    const entry = z.strictObject({ at: z.url().describe("Where."), mode: z.enum(["a", "b"]).default("a") });
    const schema = z.strictObject({
      list: z.array(entry).max(3).default([]).describe("Several."),
      some: z.strictObject({ n: z.int().min(1).nullable().default(null) }).prefault({}),
      by: z.record(z.string(), z.boolean()).optional(),
    });
    assert.deepEqual(
      keysOf(schema).map(({ path, form, byDefault }) => [path, form, byDefault]),
      [
        ["list", "list (at most 3) of mapping", "[]"],
        ["list[].at", "URL", "required"],
        ["list[].mode", "`a`, `b`", "a"],
        ["some", "mapping", ""],
        ["some.n", "integer, at least 1 or `null`", "null"],
        ["by", "mapping to `true`, `false`", ""],
      ],
    );
  });
});
