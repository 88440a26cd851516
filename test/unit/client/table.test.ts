import assert from "node:assert/strict";
import { columnsOf, table } from "@sallyport/client/output/table.ts";

const HEAD = ["ID", "UNTIL", "", "REASON"];
const ROWS = [
  ["ses_1", "2026-12-07 02:58", "in 13 days", "a\u001b[31m reason"],
  ["ses_2", "2026-12-08 02:58", "in 14 days", ""],
];

describe("a table", () => {
  it("has aligned columns where there is room, and for programs", () => {
    const wide = table(HEAD, ROWS, 80);
    assert.equal(table(HEAD, ROWS), wide);
    assert.match(wide, /^ID {5}UNTIL {25,}REASON\nses_1 {2}2026-12-07 02:58 {2}in 13 days {2}a.* reason\n/);
    assert.ok(!wide.includes("\u001b"));
  });

  it("is a block for each row where a terminal is too narrow", () => {
    const narrow = table(HEAD, ROWS, 40).split("\n");
    assert.equal(narrow[0], "ses_1");
    assert.equal(narrow[1], "  UNTIL   2026-12-07 02:58  in 13 days");
    assert.match(String(narrow[2]), /^ {2}REASON {2}a.* reason$/);
    assert.deepEqual(narrow.slice(3), ["ses_2", "  UNTIL   2026-12-08 02:58  in 14 days", ""]);
  });

  it("asks only a terminal for its width", () => {
    const write = () => true;
    assert.equal(columnsOf({ isTTY: true, columns: 80, write }), 80);
    assert.equal(columnsOf({ columns: 80, write }), undefined);
  });
});
