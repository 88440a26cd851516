import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { canonicalHash, canonicalJson } from "@sallyport/core/canonical-json.ts";
import fc from "fast-check";

describe("canonical JSON", () => {
  const rows: [what: string, value: unknown, text: string][] = [
    ["members sorted", { b: 1, a: 2 }, '{"a":2,"b":1}'],
    ["members sorted inside too", [{ b: { d: 1, c: 2 } }], '[{"b":{"c":2,"d":1}}]'],
    // RFC 8785 §3.2.3: by UTF-16 code units, so that a surrogate pair comes before U+FB33
    [
      "members sorted by code units",
      { "\ufb33": 1, "\u{1f600}": 2, "\r": 3 },
      '{"\\r":3,"\u{1f600}":2,"\ufb33":1}',
    ],
    ["numbers as ECMAScript has them", [1e21, 1e-7, 0.1, -0, 4.5, 2e-3], "[1e+21,1e-7,0.1,0,4.5,0.002]"],
    [
      "text escaped as little as may be",
      "\u20ac$\u000f\nA'B\"\\/\u007f",
      '"\u20ac$\\u000f\\nA\'B\\"\\\\/\u007f"',
    ],
    ["literals", [null, true, false], "[null,true,false]"],
    ["members that are undefined left out", { a: undefined, b: 1 }, '{"b":1}'],
    ["nothing in it", [{}, []], "[{},[]]"],
  ];
  for (const [what, value, text] of rows) {
    it(`has ${what}`, () => assert.equal(canonicalJson(value), text));
  }

  it("says the same of two values that are the same JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = canonicalJson(value);
        assert.equal(canonicalJson(JSON.parse(text)), text);
        assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  const circular: unknown[] = [];
  circular.push(circular);
  const refused: [what: string, value: unknown][] = [
    ["undefined", undefined],
    ["a function", () => 1],
    ["NaN", Number.NaN],
    ["infinity", { a: [Number.POSITIVE_INFINITY] }],
    ["a bigint", 1n],
    ["a lone surrogate", "\ud800"],
    ["a member named by a lone surrogate", { "\udc00": 1 }],
    ["a circle", circular],
  ];
  for (const [what, value] of refused) {
    it(`is a TypeError for ${what}`, () => assert.throws(() => canonicalJson(value), TypeError));
  }

  it("is hashed as UTF-8, in base64url", () => {
    const expected = createHash("sha256").update(Buffer.from('{"a":"\u20ac"}', "utf8")).digest("base64url");
    assert.equal(canonicalHash({ a: "\u20ac" }), expected);
  });
});
