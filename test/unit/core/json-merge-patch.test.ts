import assert from "node:assert/strict";
import { applyMergePatch, makeMergePatch } from "@sallyport/core/json-merge-patch.ts";

/** RFC 7396, appendix A. */
const EXAMPLES: [target: unknown, patch: unknown, result: unknown][] = [
  [{ a: "b" }, { a: "c" }, { a: "c" }],
  [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
  [{ a: "b" }, { a: null }, {}],
  [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
  [{ a: ["b"] }, { a: "c" }, { a: "c" }],
  [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
  [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
  [
    ["a", "b"],
    ["c", "d"],
    ["c", "d"],
  ],
  [{ a: "b" }, ["c"], ["c"]],
  [{ a: "foo" }, null, null],
  [{ a: "foo" }, "bar", "bar"],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: "b", c: null }, { a: "b" }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

describe("JSON Merge Patch", () => {
  for (const [target, patch, result] of EXAMPLES) {
    it(`makes ${JSON.stringify(result)} of ${JSON.stringify(target)} by ${JSON.stringify(patch)}`, () => {
      assert.deepEqual(applyMergePatch(target, patch), result);
    });
  }

  it("is made so that it leads from one to the other, and is empty for the same", () => {
    const before = { a: 1, b: { c: [1], d: { x: "y" } }, e: null, f: { g: 1 } };
    const after = { a: 2, b: { c: [1, 2], d: { z: 1 } }, f: null, h: {} };
    const patch = makeMergePatch(before, after);
    assert.deepEqual(patch, { a: 2, b: { c: [1, 2], d: { x: null, z: 1 } }, f: null, h: {} });
    assert.deepEqual(applyMergePatch({ ...before, e: undefined }, patch), {
      a: 2,
      b: after.b,
      e: undefined,
      h: {},
    });
    assert.deepEqual(makeMergePatch(before, before), {});
  });

  it("takes away what every object seems to have", () => {
    const patch = makeMergePatch({ constructor: "x", y: 1 }, { y: 1 });
    assert.deepEqual(patch, { constructor: null });
    assert.deepEqual(makeMergePatch({}, { constructor: "x" }), { constructor: "x" });
  });

  it("does not reach the prototype of anything", () => {
    applyMergePatch({}, JSON.parse('{"__proto__": {"polluted": true}}'));
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
  });
});
