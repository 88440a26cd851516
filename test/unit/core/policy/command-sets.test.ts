import assert from "node:assert/strict";
import { PolicyEngagement } from "@sallyport/core/policy/policy-engagement.ts";
import { PolicyFile } from "@sallyport/core/policy/policy-file.ts";
import { readYaml } from "@sallyport/core/yaml/read-yaml.ts";

const HEAD = `version: 1
commandSets:
  logs:
    - { program: journalctl, arguments: [-u, nginx] }
    - { program: tail, arguments: [{ under: /var/log }] }
  restart:
    - { program: systemctl, arguments: [restart, nginx], runAs: root }
engagements:
`;
const engagement = (commands: string, rest = "accounts: [deploy]") =>
  `  - { name: web, vendor: v, hosts: { names: [web-1] }, start: 2026-01-01, end: 2027-01-01, contact: dana, mode: commands, ${rest},
      commands: ${commands} }\n`;
const read = (commands: string, rest?: string) =>
  readYaml(HEAD + engagement(commands, rest), "policy.yaml", PolicyFile).value.engagements[0]?.commands;

describe("sets of commands in a policy file", () => {
  it("stand behind an engagement's own rules, in the order of their use", () => {
    const found = read("{ rules: [{ program: uptime }], use: [restart, logs] }", "personal: {}");
    assert.deepEqual(
      found?.rules.map(({ program, runAs }) => [program, runAs]),
      [
        ["uptime", undefined],
        ["systemctl", "root"],
        ["journalctl", undefined],
        ["tail", undefined],
      ],
    );
    assert.deepEqual(Object.keys(found ?? {}).sort(), ["confinement", "rules"]);
  });

  it("are a mistake with its line and column where there is none of that name", () => {
    assert.throws(() => read("{ use: [logs, lags] }"), {
      code: "config-invalid",
      message:
        'policy.yaml:10:31: "engagements.0.commands.use.1" is wrong: there is no set lags in `commandSets`; there are: logs, restart',
    });
    assert.throws(() => read("{ use: [logs, logs] }"), /policy.yaml:10:31: .*the set logs is listed twice/);
    assert.throws(() => read("{ use: [constructor] }"), /there is no set constructor/);
  });

  it("run nothing as others for accounts that members share", () => {
    assert.throws(
      () => read("{ use: [restart] }"),
      /policy.yaml:10:25: .*only personal accounts can have sudo/,
    );
    const own = "{ rules: [{ program: id, runAs: root }] }";
    assert.throws(
      () => read(own),
      /policy.yaml:10:42: "engagements.0.commands.rules.0.runAs" is wrong: only personal/,
    );
    assert.equal(read(own, "personal: {}")?.rules.length, 1);
  });

  it("are not for login shells that run files of the user", () => {
    assert.throws(
      () => read("{ rules: [] }", "accounts: [deploy], acceptUnsafeShell: true"),
      /policy.yaml:9:143: "engagements.0.acceptUnsafeShell" is wrong: in mode: commands a login shell/,
    );
  });

  it("make no longer list than rules by themselves", () => {
    const many = Array.from({ length: 999 }, (_, index) => `{ program: p${index} }`).join(", ");
    assert.equal(read(`{ rules: [${many}] }`)?.rules.length, 999);
    assert.throws(
      () => read(`{ rules: [${many}], use: [logs] }`),
      /with its sets it has 1001 rules; at most 1000/,
    );
  });

  it("are refused, with a sentence, where there is no file around the engagement", () => {
    const text = engagement("{ use: [logs] }").replace("  - {", "{");
    assert.throws(
      () => readYaml(text, "one.yaml", PolicyEngagement),
      /one.yaml:2:19: "commands.use" is wrong: `use` names sets of a policy file, and there is none here/,
    );
  });
});
