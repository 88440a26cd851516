import assert from "node:assert/strict";
import { sudoForRule } from "@sallyport/agent/accounts/run-as-rules.ts";
import { sudoersText } from "@sallyport/agent/accounts/sudoers-text.ts";
import { CommandRule } from "@sallyport/core/commands/command-rule.ts";

const sudo = (rule: object) => sudoForRule(CommandRule.parse({ program: "/bin/x", runAs: "root", ...rule }));
const lists = (...args: unknown[]) => {
  const { exact, commands } = sudo({ arguments: args }) ?? {};
  return exact ? commands?.map((one) => one.arguments?.join(" ")) : null;
};

describe("sudo's rule for a command that runs as another account", () => {
  it("is the command word for word where there is an end of them", () => {
    assert.deepEqual(lists(), [""]);
    assert.deepEqual(lists("restart", { oneOf: ["nginx", "redis"] }), ["restart nginx", "restart redis"]);
    assert.deepEqual(lists({ integer: { from: -1, to: 1 } }), ["-1", "0", "1"]);
    assert.deepEqual(lists("a", { optional: ["b", "c"] }), ["a", "a b c"]);
    assert.equal(lists({ integer: { from: 1, to: 8 } }, { integer: { from: 1, to: 8 } })?.length, 64);
  });

  it("is the program with any arguments where it cannot be written exactly", () => {
    const open: unknown[][] = [
      [{ integer: { from: 1, to: 65 } }],
      [{ integer: { from: 1, to: 9 } }, { integer: { from: 1, to: 8 } }],
      [{ integer: { from: -(2 ** 53) + 1, to: 2 ** 53 - 1 } }],
      [{ matches: "v[0-9]+" }],
      [{ under: "/srv" }],
      [{ repeated: "a", to: 3 }],
      [{ rest: true }],
      ["a b"],
      [""],
    ];
    for (const one of open) assert.equal(lists(...one), null, JSON.stringify(one));
    assert.deepEqual(sudo({ flags: ["-q"] }), {
      exact: false,
      commands: [{ program: "/bin/x", arguments: null, runAs: "root" }],
    });
  });

  it("is none without `runAs`, and one for each place of a program without slashes", () => {
    assert.equal(sudoForRule(CommandRule.parse({ program: "/bin/x" })), null);
    assert.deepEqual(
      sudo({ program: "x" })?.commands.map(({ program }) => program),
      ["/usr/local/sbin/x", "/usr/local/bin/x", "/usr/sbin/x", "/usr/bin/x", "/sbin/x", "/bin/x"],
    );
  });

  it("is text for sudoers in which an argument means itself", () => {
    const { commands = [] } = sudo({ arguments: ["a*", { oneOf: ["b:c", "=d"] }] }) ?? {};
    assert.match(
      sudoersText(1000, [{ sudo: "listed", commands }]),
      /^#1000 ALL=\(root\) NOPASSWD: \/bin\/x a\\\* b\\:c\n#1000 ALL=\(root\) NOPASSWD: \/bin\/x a\\\* \\=d$/m,
    );
  });
});
