import assert from "node:assert/strict";
import { CommandRule } from "@sallyport/core/commands/command-rule.ts";
import { patternProblem, wholeMatch } from "@sallyport/core/commands/regular-expression.ts";

describe("a pattern for an argument", () => {
  const rows: [pattern: string, text: string, fits: boolean][] = [
    ["v[0-9]+", "v12", true],
    ["v[0-9]+", "v12x", false],
    ["v[0-9]+", "xv12", false],
    ["v[0-9]+", "v12\n", false],
    ["v[0-9]+$", "v12\n", false],
    ["^v[0-9]+$", "v12", true],
    ["(?m)^v[0-9]+$", "v12\nv13", false],
    ["^ab*c", "ac", true],
    ["ab?c", "ac", true],
    ["ab{0,2}c", "ac", true],
    ["ab+c", "ac", false],
    ["ab|c", "c", true],
    ["a(?i)b", "aB", true],
    ["a|ab", "ab", true],
    ["a|b", "ab", false],
    ["a|.*b", "xb", true],
    [".*", "a\nb", false],
    ["(?s).*", "a\nb", true],
    [".", "🙂", true],
    ["[^/]+", "../x", false],
    ["(?i)web", "WEB", true],
    ["[a-z]*", "", true],
    ["[a-z]+", "аbc", false], // a Cyrillic а
    ["\\d+", "١٢", false], // Arabic digits
    ["\\w+", "é", false],
  ];
  for (const [pattern, text, fits] of rows)
    it(`${pattern} ${fits ? "is" : "is not"} ${JSON.stringify(text)}`, () =>
      assert.equal(wholeMatch(pattern)(text), fits));

  it("takes linear time where others take for ever", () => {
    const begun = process.cpuUsage();
    for (const pattern of ["(x+x+)+y", "(a*)*b", "(a|aa)+$x", "(.*)*(.*)*c"])
      assert.equal(wholeMatch(pattern)("xa".repeat(4000)), false);
    assert.ok(process.cpuUsage(begun).user < 1_000_000);
  });

  const bad: [pattern: string, problem: RegExp][] = [
    ["(", /missing closing \)/],
    ["a(?=b)", /not a regular expression that RE2 takes/],
    ["(a)\\1", /invalid escape/],
    ["a{1001}", /invalid repeat count/],
    ["*", /missing argument/],
    [`(?:${"ab".repeat(400)}){1000}`, /too large/],
    [`(?:${"ab".repeat(100)}){20}`, /too large/],
  ];
  for (const [pattern, problem] of bad)
    it(`${pattern.slice(0, 20)} is refused`, () => {
      assert.match(patternProblem(pattern) ?? "", problem);
      assert.throws(() => wholeMatch(pattern), TypeError);
    });

  it("is refused for its size before it costs anything", () => {
    const begun = process.cpuUsage();
    for (let n = 0; n < 20; n++)
      assert.match(patternProblem(`(?:${"ab".repeat(480)}${n}){1000}`) ?? "", /too large/);
    assert.ok(process.cpuUsage(begun).user < 1_000_000);
  });

  it("is refused in a rule with its place, wherever it stands", () => {
    const pattern = { matches: "(" };
    const rule = (more: object) => CommandRule.safeParse({ program: "x", ...more }).error?.issues ?? [];
    const places: [rule: object, path: (string | number)[]][] = [
      [{ arguments: ["a", pattern] }, ["arguments", 1, "matches"]],
      [{ arguments: [{ optional: [pattern] }] }, ["arguments", 0, "optional", 0, "matches"]],
      [{ arguments: [{ repeated: pattern, to: 2 }] }, ["arguments", 0, "repeated", "matches"]],
      [{ flags: [{ flag: "-n", value: pattern }] }, ["flags", 0, "value", "matches"]],
    ];
    for (const [written, path] of places) {
      const [issue, ...others] = rule(written);
      assert.equal(others.length, 0);
      assert.deepEqual(issue?.path, path);
      assert.match(
        issue?.message ?? "",
        /the pattern is not a regular expression that RE2 takes: missing closing/,
      );
    }
  });
});
