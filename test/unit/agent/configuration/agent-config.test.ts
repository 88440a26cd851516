import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { AgentConfig, readAgentConfig } from "@sallyport/agent/configuration/agent-config.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import { temporaryDirectory } from "../support/temporary.ts";

describe("the agent's configuration", () => {
  const directory = temporaryDirectory();
  const read = (text: string) => {
    writeFileSync(directory.file("agent.yaml"), text);
    return readAgentConfig(directory.file("agent.yaml"));
  };

  it("needs no more than its version, and is frozen", () => {
    const config = read("version: 1\n");
    assert.deepEqual(config, AgentConfig.parse({ version: 1 }));
    assert.throws(() => Object.assign(config, { group: "wheel" }), TypeError);
  });

  it("takes what is set", () => {
    assert.deepEqual(read("version: 1\ngroup: vendors # ours\nrecorders: 3\n"), {
      ...AgentConfig.parse({ version: 1 }),
      group: "vendors",
      recorders: 3,
    });
  });

  for (const [what, text, place, pattern] of [
    ["an unknown key", "version: 1\n\n  \ngruop: vendors\n", "4:1", /gruop: Unrecognized key/],
    [
      "an unknown key with more below",
      "version: 1\nextra:\n  group: x\nrecorders: 1\n",
      "2:1",
      /extra: Unrecognized key/,
    ],
    ["an unknown key with nothing behind it", "version: 1\nextra:\n", "2:1", /extra: Unrecognized key/],
    ["an unknown key in braces", '{ "version": 1, "extra": 2 }\n', "1:17", /extra: Unrecognized key/],
    [
      "a wrong type",
      "version: 1\nrecorders: many\n",
      "2:12",
      /recorders: Invalid input: expected (number|int), received string/,
    ],
    ["a value out of range", "version: 1\n# so few\njwksRefresh: 5\n", "3:14", /jwksRefresh: Too small/],
    [
      "a value that is none of the allowed",
      "version: 1\nlogLevel: trace\n",
      "2:11",
      /logLevel: Invalid option/,
    ],
    ["another version", "group: x\nversion: 2\n", "2:10", /version: Invalid input: expected 1/],
    ["no version", "group: x\n", "1:1", /version: Invalid input: expected 1/],
    ["a list", "- version: 1\n", "1:1", /expected object, received array/],
    ["nothing", "", "1:1", /expected object, received null/],
  ] as const) {
    it(`is refused with ${what}, naming the place`, () => {
      assert.throws(
        () => read(text),
        (error) => {
          assert.ok(error instanceof SallyportError && error.code === "config-invalid");
          assert.ok(error.message.startsWith(`${directory.file("agent.yaml")}:${place}: `), error.message);
          assert.match(error.message, pattern);
          return true;
        },
      );
    });
  }

  for (const [what, text, pattern] of [
    [
      "a key twice",
      "version: 1\ngroup: a\ngroup: b\n",
      /agent\.yaml: Map keys must be unique at line 3, column 1/,
    ],
    ["broken YAML", 'version: 1\ngroup: "a\n', /agent\.yaml: Missing closing "quote at line 3, column 1/],
    [
      "more aliases than anybody needs",
      `a: &a [${"x,".repeat(99)}]\nb: &b [${"*a,".repeat(99)}]\nc: &c [${"*b,".repeat(99)}]\nd: [${"*c,".repeat(99)}]\n`,
      /alias/,
    ],
  ] as const) {
    it(`is refused with ${what}`, () => {
      assert.throws(() => read(text), { name: "SallyportError", code: "config-invalid", message: pattern });
    });
  }

  it("that is missing is told from one that is wrong, with what to do", () => {
    assert.throws(() => readAgentConfig(directory.file("none.yaml")), {
      code: "config-missing",
      message: `${directory.file("none.yaml")} cannot be read. Run: sallyport-agent enroll`,
    });
  });
});
