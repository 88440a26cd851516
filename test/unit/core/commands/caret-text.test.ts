import assert from "node:assert/strict";
import { caretText } from "@sallyport/core/commands/parse-line.ts";
import { textColumns } from "@sallyport/core/commands/text-width.ts";
import fc from "fast-check";

describe("a caret under a line", () => {
  const rows: [what: string, line: string, offset: number, text: string][] = [
    ["the beginning", "&& x", 0, "&& x\n^"],
    ["the middle", "ls && id", 3, "ls && id\n   ^"],
    ["the end", "ls", 2, "ls\n  ^"],
    ["an empty line", "", 0, "\n^"],
    ["wide characters before it", "猫 한 ;", 4, "猫 한 ;\n      ^"],
    ["a combining character before it", "e\u0301 ;", 3, "e\u0301 ;\n  ^"],
    ["pictures before it", "🙂 ;", 3, "🙂 ;\n   ^"],
    ["the second half of a pair", "a🙂", 2, "a🙂\n ^"],
    ["what would act on the terminal", "a\u001b[2J;", 5, "a\\u{1b}[2J;\n          ^"],
    ["a tab", "a\t;", 2, "a\\u{9};\n      ^"],
    ["an offset beyond the end", "ab", 99, "ab\n  ^"],
  ];
  for (const [what, line, offset, text] of rows)
    it(`is right for ${what}`, () => assert.equal(caretText(line, offset), text));

  it("cuts a long line on both sides", () => {
    const line = `${"a".repeat(200)};${"b".repeat(200)}`;
    const [shown = "", caret = ""] = caretText(line, 200).split("\n");
    assert.match(shown, /^…a+;b+…$/);
    assert.equal(shown.length, 76);
    assert.equal(shown[caret.length - 1], ";");
    assert.equal(caretText("x".repeat(8193), 8192).split("\n")[0]?.at(0), "…");
    assert.doesNotMatch(caretText("x".repeat(76), 70), /…/);
    assert.doesNotMatch(caretText("x".repeat(75), 75), /…/);
  });

  it("is two printable lines of at most 76 columns, with the caret under the character, for any text", () => {
    const text = fc.oneof(
      fc.array(fc.nat(0x10ffff), { maxLength: 150 }).map((points) => String.fromCodePoint(...points)),
      fc.string({ unit: fc.constantFrom("a", "e\u0301", "猫", "🙂", "한", "\t", "\u202e"), maxLength: 150 }),
    );
    fc.assert(
      fc.property(text, fc.nat(350), (line, offset) => {
        const shown = caretText(line, offset);
        const [first = "", second = "", ...more] = shown.split("\n");
        assert.equal(more.length, 0);
        assert.doesNotMatch(first, /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]/u);
        assert.match(second, /^ *\^$/);
        assert.ok(textColumns(first) <= 76, first);
        assert.ok(second.length <= 76);
      }),
    );
  });
});
