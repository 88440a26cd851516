import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT, textOf } from "./markdown.ts";

const PAGE = "docs/security/adversary.md";
const SECTIONS = [
  "Round the recorder",
  "Round admission",
  "Round the command list",
  "Loss",
  "After the fact",
];
/** The third column: files, each followed by the titles of tests in it. */
const TRIED = /\[[^\]]+\]\(\.\.\/\.\.\/(test\/[^)]+\.test\.ts)\)((?:[ ,;›]*"[^"]+")+)/g;

/** What the source says where a title stands: as it is, or with a quote of its own escaped. */
function says(source: string, text: string): boolean {
  return [text, JSON.stringify(text).slice(1, -1), text.replaceAll("'", "\\'")].some((one) =>
    source.includes(one),
  );
}

/**
 * A title is in the source as it stands, or, where a test is made from the row of a table, in its two halves: "made › row",
 * the first what the title's template says before its `${…}`, the second the row's own text.
 */
function isTitle(source: string, title: string): boolean {
  return title.split(" › ").every((half) => half !== "" && says(source, half));
}

describe(PAGE, () => {
  const page = textOf(PAGE);

  it("has the sections of what is tried, in their order, each with its table", () => {
    const headings = [...page.matchAll(/^## (.+)$/gm)].map((match) => String(match[1]));
    assert.deepEqual(
      headings.filter((heading) => SECTIONS.includes(heading)),
      SECTIONS,
    );
    for (const section of SECTIONS) {
      const text = page.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? "";
      assert.match(text, /^\| attempt \| what happens \| where it is tried \|$/m, section);
    }
  });

  const rows = page.split("\n").filter((line) => /^\| (?!attempt \||---)/.test(line));
  for (const row of rows) {
    const [, attempt = "", outcome = "", tried = ""] = row.split(/ ?(?<!\\)\| ?/);
    it(`names tests that are there: ${attempt}`, () => {
      assert.ok(outcome.trim() !== "", "what happens?");
      const named = [...tried.matchAll(TRIED)];
      assert.ok(named.length > 0, "no test is named");
      for (const [, file = "", titles = ""] of named) {
        assert.ok(existsSync(join(ROOT, file)), `${file} is not there`);
        const source = textOf(file);
        for (const [, title = ""] of titles.matchAll(/"([^"]+)"/g))
          assert.ok(isTitle(source, title), `no test "${title}" in ${file}`);
      }
      assert.equal(tried.replaceAll(TRIED, "").replace(/[\s,;]/g, ""), "", "only tests, with their titles");
    });
  }

  it("finds out a title that is not there", () => {
    const source = textOf("test/unit/docs/adversary.test.ts");
    assert.ok(isTitle(source, "finds out a title that is not there"));
    assert.ok(!isTitle(source, ["names tests that", "are not there"].join(" ")));
  });
});
