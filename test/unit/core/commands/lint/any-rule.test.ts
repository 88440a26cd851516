import assert from "node:assert/strict";
import { CommandGrant } from "@sallyport/core/commands/command-rule.ts";
import { knownOf } from "@sallyport/core/commands/lint/known/known-programs.ts";
import { lintGrants } from "@sallyport/core/commands/lint/lint-commands.ts";
import fc from "fast-check";

const PROGRAMS = [
  "less",
  "vim",
  "/usr/bin/find",
  "tar",
  "git",
  "awk",
  "python3.11",
  "sudo",
  "psql",
  "docker",
  "sh",
  "xyz",
  "/lib/ld.so.1",
];
const word = fc.oneof(
  fc.constantFrom("-c", "-exec", "-xf", "--rsh", "--no-pager", "exec", "restart"),
  fc.stringMatching(/^[ -~]{1,8}$/),
);
const value = fc.oneof(
  word,
  fc.record({ oneOf: fc.array(word, { minLength: 1, maxLength: 3 }) }),
  fc.constant({ integer: { from: 1, to: 9 } }),
  fc.record({ matches: fc.constantFrom(".*", "[a-z]+", "-x", "^a$", "/var/.*", "a{2,3}|b") }),
  fc.record({ under: fc.constantFrom("/", "/var/log", "/home/a") }),
);
const argument = fc.oneof(
  value,
  fc.record({ optional: fc.array(value, { minLength: 1, maxLength: 2 }) }),
  fc.record({ repeated: value, from: fc.constantFrom(0, 1), to: fc.constant(3) }),
  fc.constant({ rest: true }),
);
const rule = fc.record(
  {
    program: fc.constantFrom(...PROGRAMS),
    flags: fc.array(
      fc.oneof(
        fc.constantFrom("-c", "-e", "--exec"),
        fc.record({ flag: fc.constantFrom("-n", "--file"), value }),
      ),
      { maxLength: 3 },
    ),
    arguments: fc.array(argument, { maxLength: 4 }),
    runAs: fc.constantFrom("root", "app"),
    environment: fc.constantFrom({}, { LD_PRELOAD: "x" }, { PAGER: "cat" }),
    confine: fc.record({
      execute: fc.constantFrom([], ["/bin/sh"]),
      write: fc.constantFrom([], ["/"], ["/srv/x"]),
    }),
  },
  { requiredKeys: ["program"] },
);
const grant = fc.record({
  rules: fc.array(rule, { minLength: 1, maxLength: 4 }),
  confinement: fc.constantFrom("available", "required"),
});

describe("the linter on any list of commands", () => {
  it("finds something about each program that it knows and that is given any arguments, and never gives up", () => {
    fc.assert(
      fc.property(grant, (written) => {
        const parsed = CommandGrant.parse(written);
        const rulePaths = parsed.rules.map((_rule, index) => ["rules", index]);
        const found = lintGrants({ grant: parsed, path: [], rulePaths }, null);
        for (const { message, path } of found) {
          assert.match(message, /^\P{Cc}{10,}$/u);
          assert.ok(
            path[0] === "confinement" || (path[0] === "rules" && Number(path[1]) < parsed.rules.length),
            path.join("."),
          );
        }
        for (const [index, { program, arguments: args }] of parsed.rules.entries()) {
          if (!args.some((one) => typeof one === "object" && "rest" in one)) continue;
          const codes = found.filter(({ path }) => path[1] === index).map(({ code }) => code);
          assert.ok(codes.includes("rest"));
          const risky = knownOf(program).some(({ risk }) => risk === "starts" || risk === "code");
          if (risky)
            assert.ok(
              codes.some((code) => code === "starts-programs" || code === "runs-code"),
              program,
            );
        }
      }),
      { numRuns: 1500 },
    );
  });
});
