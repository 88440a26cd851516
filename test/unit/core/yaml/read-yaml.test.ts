import assert from "node:assert/strict";
import { PolicyFile } from "@sallyport/core/policy/policy-file.ts";
import { readYaml } from "@sallyport/core/yaml/read-yaml.ts";

const MISTAKES = [
  ["at the top", "engagments: []", 'x:2:1: unknown key "engagments"; did you mean "engagements"?'],
  ["two letters the other way round", "membesr: []", '"membesr"; did you mean "members"?'],
  ["other letters in capitals", "Members: []", '"Members"; did you mean "members"?'],
  ["in a list", "engagements: [{ hots: {} }]", '"engagements.0.hots"; did you mean "hosts"?'],
  [
    "in a map of a map in a list",
    "engagements: [{ hosts: { label: {} } }]",
    '"engagements.0.hosts.label"; did you mean "labels"?',
  ],
  ["like no other", "colour: red", 'unknown key "colour"'],
  ["longer than any", `${"members".repeat(50)}: []`, `unknown key "${"members".repeat(50)}"`],
] as const;

describe("YAML with an unknown key", () => {
  for (const [what, text, message] of MISTAKES) {
    it(`names the known one that is near: ${what}`, () => {
      assert.throws(
        () => readYaml(`version: 1\n${text}\n`, "x", PolicyFile),
        (error: Error) => error.message.split("\n").some((line) => line.endsWith(message)),
      );
    });
  }
});
