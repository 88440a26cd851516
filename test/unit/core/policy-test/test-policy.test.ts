import assert from "node:assert/strict";
import type { PolicyAnswer } from "@sallyport/core/policy-test/question.ts";
import { ask, example, local, NOW } from "./questions.ts";

/** The code of a refusal, or what is allowed and by which rule. */
function inShort(answer: PolicyAnswer): string {
  if (answer.outcome === "refuse") return answer.code;
  return [answer.as, ...answer.stages.map(({ rule, path }) => `${rule}@${path?.join(".") ?? "local"}`)].join(
    " ",
  );
}

const LABELS = { host: { name: "shop-1", labels: { app: "shop" } } };
const BOB = { member: "Bob@Globex.example" };

describe("testPolicy", () => {
  it("names the rule that gives a command", () => {
    const answer = ask("services.yaml", "web-1", "acme-alice", "systemctl 'restart' nginx");
    assert.equal(inShort(answer), "commands systemctl@engagements.0.commands.rules.0");
    assert.ok(answer.outcome === "allow");
    const [stage] = answer.stages;
    assert.deepEqual(
      [stage?.program, stage?.argv, stage?.runAs, stage?.timeLimit, stage?.confinement],
      ["/usr/bin/systemctl", ["systemctl", "restart", "nginx"], "root", 60, "required"],
    );
    assert.equal(answer.until, Date.UTC(2026, 11, 31, 18) / 1000);
  });

  it("takes several words as they are, and one as it is typed", () => {
    assert.equal(
      inShort(ask("logs.yaml", "web-1", "acme-alice", ["grep", "a b", "/var/log/nginx/x"])).split(" ")[0],
      "commands",
    );
    assert.equal(
      inShort(ask("logs.yaml", "web-1", "acme-alice", "grep 'a b' /var/log/nginx/x")).split(" ")[0],
      "commands",
    );
    assert.equal(
      inShort(ask("logs.yaml", "web-1", "acme-alice", ["grep", "a;b", "/var/log/nginx/x"])),
      "argument-not-allowed",
    );
    const answer = ask("logs.yaml", "web-1", "acme-alice", "tail x; id");
    assert.ok(answer.outcome === "refuse");
    assert.deepEqual([answer.code, answer.caret?.split("\n")[1]], ["shell-syntax", "      ^"]);
  });

  it("follows pipes, sets, relative paths and ..", () => {
    const pipe = ask("logs.yaml", "web-1", "acme-alice", "tail -n 50 /var/log/nginx/a | grep x");
    assert.equal(
      inShort(pipe),
      "commands tail@engagements.0.commands.rules.1 grep@engagements.0.commands.rules.2",
    );
    const set = ask("sets.yaml", "x", "deploy", "uptime", {
      host: { name: "x", labels: { env: "production" } },
    });
    assert.equal(inShort(set), "commands uptime@commandSets.look.0");
    assert.equal(
      inShort(ask("logs.yaml", "web-1", "acme-alice", "tail /var/log/nginx/../../x")),
      "argument-not-allowed",
    );
    assert.equal(inShort(ask("logs.yaml", "web-1", "acme-alice", "tail nginx/a")), "argument-not-allowed");
  });

  it("lets the rules of a pipe set a variable differently: each is for its own program", () => {
    const policy = example("logs.yaml");
    const [engagement] = policy.engagements;
    const [tail, less] = ["tail", "less"].map((name) =>
      engagement?.commands?.rules.find(({ program }) => program === name),
    );
    assert.ok(engagement && tail && less);
    const rules = [{ ...tail, environment: { LESSSECURE: "0" } }, less];
    const commands = { rules, confinement: "required" as const };
    const two = { ...policy, engagements: [{ ...engagement, commands }] };
    const answer = ask(two, "web-1", "acme-alice", "tail /var/log/nginx/a | less");
    assert.ok(answer.outcome === "allow");
  });

  const login: [string, Parameters<typeof ask>, string][] = [
    ["another host", ["services.yaml", "web-2", "acme-alice", null], "host-not-granted"],
    ["another account", ["services.yaml", "web-1", "root", null], "account-not-granted"],
    ["too early", ["services.yaml", "web-1", "acme-alice", null, { now: 0 }], "engagement-not-started"],
    [
      "too late",
      ["services.yaml", "web-1", "acme-alice", null, { now: NOW + 90 * 86_400 }],
      "engagement-ended",
    ],
    ["labels", ["release.yaml", "shop-1", "deploy", null, LABELS], "prompt"],
    ["no labels", ["release.yaml", "shop-1", "deploy", null], "host-not-granted"],
    [
      "outside the hours",
      ["sets.yaml", "web-1", "exchange", null, { ...BOB, now: NOW + 10 * 3600 }],
      "outside-hours",
    ],
    ["within them", ["sets.yaml", "web-1", "exchange", null, BOB], "prompt"],
    ["somebody else", ["services.yaml", "web-1", "acme-alice", null, BOB], "not-a-member"],
    ["a blank line", ["services.yaml", "web-1", "acme-alice", " "], "prompt"],
  ];
  for (const [what, question, expected] of login) {
    it(`asks as a host does at a login: ${what}`, () => assert.equal(inShort(ask(...question)), expected));
  }

  it("tells transfers of files from commands", () => {
    const bob = (command: string) => inShort(ask("sets.yaml", "web-1", "exchange", command, BOB));
    assert.equal(bob("/usr/lib/openssh/sftp-server"), "files");
    assert.equal(bob("rsync --server -logDtpre.iLsfxCIvu . /srv/exchange/in"), "files");
    assert.equal(bob("scp -t /srv/exchange/in"), "command-not-allowed");
    const policy = example("sets.yaml");
    const only = policy.engagements.map((one) => ({ ...one, mode: "files" as const, commands: null }));
    const asked = (command: string | null) =>
      inShort(ask({ ...policy, engagements: only.slice(1) }, "web-1", "exchange", command, BOB));
    assert.deepEqual([asked(null), asked("uptime")], ["nothing-but-files", "nothing-but-files"]);
  });

  it("says where it is the host's own policy that refuses", () => {
    const question = (line: string, text: string) =>
      ask("logs.yaml", "web-1", "acme-alice", line, { locals: [local(`version: 1\n${text}`)] });
    const lines = "commands: { rules: [{ program: /usr/bin/tail, arguments: [{ under: /var/log/nginx }] }] }";
    assert.equal(inShort(question("tail /var/log/nginx/a", lines)).split(" ")[0], "commands");
    for (const line of ["tail -n 5 /var/log/nginx/a", "less /var/log/nginx/a"]) {
      const answer = question(line, lines);
      assert.ok(answer.outcome === "refuse" && answer.byLocalPolicy, line);
    }
    const denied = question("tail /var/log/nginx/a", "deny: { vendors: [acme] }");
    assert.deepEqual(
      [inShort(denied), denied.outcome === "refuse" && denied.byLocalPolicy],
      ["local-policy", true],
    );
  });

  it("finds the rule in the file though the host's own policy has taken others out", () => {
    const question = (line: string) =>
      ask("services.yaml", "web-1", "acme-alice", line, { locals: [local("version: 1\nsudo: none\n")] });
    assert.equal(
      inShort(question("systemctl is-active nginx")),
      "commands systemctl@engagements.0.commands.rules.1",
    );
    const sudo = question("systemctl restart nginx");
    assert.ok(sudo.outcome === "refuse" && sudo.byLocalPolicy);
  });

  it("makes commands of a shell where the host's own policy lists them", () => {
    const policy = example("services.yaml");
    const shell = policy.engagements.map((one) => ({ ...one, mode: "shell" as const, commands: null }));
    const asked = (text: string) =>
      inShort(
        ask({ ...policy, engagements: shell }, "web-1", "acme-alice", "uptime", {
          locals: [local(`version: 1\n${text}`)],
        }),
      );
    assert.equal(asked(""), "shell");
    assert.equal(asked("commands: { rules: [{ program: /usr/bin/uptime }] }"), "commands uptime@local");
    assert.equal(asked("commands: { rules: [{ program: /usr/bin/w }] }"), "command-not-allowed");
  });

  it("asks for the network only where it is told an address", () => {
    const policy = example("services.yaml");
    const engagements = policy.engagements.map((one) => ({ ...one, sources: ["192.0.2.0/24"] }));
    const from = (sourceAddress: string | null) =>
      ask({ ...policy, engagements }, "web-1", "acme-alice", null, { sourceAddress });
    assert.deepEqual([from(null), from("192.0.2.7"), from("198.51.100.1")].map(inShort), [
      "prompt",
      "prompt",
      "source-address",
    ]);
    assert.match(from(null).assumed.join(), /--from/);
  });

  it("names other engagements that would admit, and those who share an account with sudo", () => {
    const policy = example("services.yaml");
    const [first] = policy.engagements;
    assert.ok(first !== undefined);
    const other = { ...first, name: "acme-late" as typeof first.name, accounts: ["deploy" as never] };
    const two = { ...policy, engagements: [first, other] };
    const answer = ask(two, "web-1", "acme-alice", null);
    assert.deepEqual(answer.outcome === "allow" && answer.others, ["acme-late"]);
    assert.match(answer.assumed.join(), /in the order of the engagements' ids/);
    const shared = ask(two, "web-1", "deploy", "systemctl restart nginx");
    assert.ok(shared.outcome === "refuse");
    assert.match(
      shared.detail,
      /^systemctl runs as root by sudo, which only members' own accounts have, and deploy is shared$/,
    );
  });
});
