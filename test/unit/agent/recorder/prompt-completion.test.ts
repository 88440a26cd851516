import assert from "node:assert/strict";
import { complete } from "@sallyport/agent/recorder/prompt-completion.ts";
import { CommandGrant } from "@sallyport/core/commands/command-rule.ts";
import { CommandRules } from "@sallyport/core/commands/match.ts";

const rules = new CommandRules([
  CommandGrant.parse({
    rules: [
      { program: "systemctl", arguments: ["restart", { oneOf: ["nginx", "my sql", "it's"] }] },
      { program: "sort", flags: ["--reverse"] },
    ],
  }),
]);

describe("completion at the prompt", () => {
  const rows: [line: string, words: string[], piece: string][] = [
    ["", ["exit", "help", "sort", "systemctl"], ""],
    ["s", ["sort", "systemctl"], "s"],
    ["sy", ["systemctl"], "sy"],
    ["systemctl ", ["restart"], ""],
    ["systemctl re", ["restart"], "re"],
    ["systemctl 're", [], "'re"],
    ["'systemctl' restart ", [`'it'\\''s'`, "'my sql'", "nginx"], ""],
    ["sort --r", ["--reverse"], "--r"],
    ["sort | so", ["sort"], "so"],
    ["sort |so", ["sort"], "so"],
    ["help so", ["sort"], "so"],
    ["sort | he", [], "he"],
    ["sort; so", [], "so"],
    ["$(", [], "$("],
    ["none ", [], ""],
  ];
  for (const [line, words, piece] of rows) {
    it(`offers ${words.join(", ") || "nothing"} for ${JSON.stringify(line)}`, () =>
      assert.deepEqual(complete(rules, line), { words, piece }));
  }
});
