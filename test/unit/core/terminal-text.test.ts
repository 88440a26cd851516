import assert from "node:assert/strict";
import { printable, printableJson } from "@sallyport/core/terminal-text.ts";
import fc from "fast-check";

describe("text made safe to print", () => {
  const rows: [what: string, text: string, safe: string][] = [
    ["plain text", "Łukasz's db-1 (🙂)", "Łukasz's db-1 (🙂)"],
    ["a clear-screen", "a\u001b[2Jb", "a\\u{1b}[2Jb"],
    ["a window title", "\u001b]0;x\u0007", "\\u{1b}]0;x\\u{7}"],
    ["a C1 CSI", "\u009b2J", "\\u{9b}2J"],
    ["line ends", "a\r\nb\u2028c", "a\\u{d}\\u{a}b\\u{2028}c"],
    ["a tab", "a\tb", "a\\u{9}b"],
    ["DEL", "\u007f", "\\u{7f}"],
    ["a right-to-left override", "exe.\u202etxt", "exe.\\u{202e}txt"],
    ["an isolate", "\u2066x\u2069", "\\u{2066}x\\u{2069}"],
    ["a lone surrogate", "a\ud83d", "a\\u{d83d}"],
    ["NUL", "\0", "\\u{0}"],
  ];
  for (const [what, text, safe] of rows) {
    it(`keeps or escapes ${what}`, () => assert.equal(printable(text), safe));
  }

  it("is cut at its length, between characters", () => {
    assert.equal(printable("abc", 3), "abc");
    assert.equal(printable("abcd", 3), "abc…");
    assert.equal(printable("🙂🙂🙂", 3), "🙂🙂…");
    assert.equal(printable("", 0), "");
    assert.equal(printable("x".repeat(600)).length, 501);
  });

  it("holds nothing that acts, whatever went in, and does not grow without bound", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 600 }), (text) => {
        const safe = printable(text, 100);
        assert.doesNotMatch(safe, /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]/u);
        assert.ok(safe.length <= 110);
      }),
    );
  });

  it("is the same JSON, and nothing in it acts", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 100 }), (text) => {
        const safe = printableJson(JSON.stringify({ text }));
        assert.doesNotMatch(safe, /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]/u);
        assert.deepEqual(JSON.parse(safe), { text });
      }),
    );
  });

  it("is itself when made safe again", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 20 }), (text) => {
        assert.equal(printable(printable(text)), printable(text));
      }),
    );
  });
});
