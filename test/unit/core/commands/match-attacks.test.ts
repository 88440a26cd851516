import assert from "node:assert/strict";
import { decided, hostWithFiles, rulesOf, type Written } from "./host-with-files.ts";

const refused = (rules: Written, asked: string | string[]) => {
  const decision = decided(rulesOf(rules), asked);
  assert.equal(decision.outcome, "refuse", JSON.stringify(asked));
  return decision;
};
const allowed = (rules: Written, asked: string | string[]) =>
  assert.equal(decided(rulesOf(rules), asked).outcome, "allow", JSON.stringify(asked));

describe("attacks on a command list", () => {
  it("make no option of a value", () => {
    const rules: Written = [
      { program: "find", arguments: [{ under: "/" }, { matches: ".*" }] },
      {
        program: "tool",
        flags: [{ flag: "--format", value: { matches: ".*" } }],
        arguments: [{ matches: ".*" }],
      },
      { program: "git", arguments: [{ repeated: { matches: "(?s).*" }, to: 9 }] },
      { program: "cat", arguments: [{ repeated: { under: "/" }, to: 9 }] },
    ];
    allowed(rules, ["find", "/", "x"]);
    for (const words of [
      ["find", "/", "-delete"],
      ["find", "-delete", "x"],
      ["tool", "-x"],
      ["tool", "--checkpoint-action=exec=sh"],
      ["tool", "--format", "-x", "a"],
      ["tool", "a", "--format"],
      ["git", "-c", "core.pager=sh", "log"],
      ["git", "log", "--output=/etc/x"],
      ["git", "--", "-x"],
      ["git", "-"],
      ["cat", "-"],
      ["cat", "--", "/etc/shadow"],
    ])
      refused(rules, words);
    allowed(rules, ["tool", "--format=-x", "a"]);
  });

  it("get nothing behind a `--` that the rule has not", () => {
    const rules: Written = [{ program: "docker", arguments: ["exec", "web", { oneOf: ["ps", "uptime"] }] }];
    for (const line of [
      "docker -- exec web ps",
      "docker exec -- web ps",
      "docker exec web -- ps",
      "docker exec web ps --",
    ])
      refused(rules, line);
    const flags: Written = [
      { program: "tail", flags: [{ flag: "-n", value: { matches: ".*" } }], arguments: ["--", "a"] },
    ];
    allowed(flags, "tail -n 5 -- a");
    refused(flags, "tail -n -- a");
    refused(flags, "tail -- a -n 5");
    refused(flags, "tail -n 5 -- -- a");
  });

  it("match no part of an argument, and no argument of several lines", () => {
    const rules: Written = [{ program: "deploy", arguments: [{ matches: "v[0-9]+|latest$" }] }];
    allowed(rules, ["deploy", "v1"]);
    allowed(rules, ["deploy", "latest"]);
    for (const word of [
      "v1 ",
      "v1;id",
      "xv1",
      "v1\n",
      "v1\nx",
      "not-latest",
      "latest\n",
      "v1\0",
      "v１",
      "V1",
      "",
    ])
      refused(rules, ["deploy", word]);
    const any: Written = [{ program: "deploy", arguments: [{ matches: "(?s).*" }] }];
    for (const word of [
      "a\nb",
      "a\0b",
      "a\tb",
      "\u001b[2J",
      "\ud800",
      "a\u202eb",
      "a\ufffd",
      "x".repeat(8193),
    ])
      refused(any, ["deploy", word]);
    allowed(any, ["deploy", "x".repeat(8192)]);
  });

  it("get out of a directory by no link and no dots", () => {
    const rules: Written = [
      {
        program: "cat",
        directory: "/var/log",
        arguments: [{ repeated: { under: "/var/log" }, from: 1, to: 5 }],
      },
    ];
    for (const path of [
      ...["/etc/shadow", "../../etc/shadow", "./../log-old/syslog", "/var/log/out", "out/shadow", "shadow"],
      ...[
        "in/../../log-old/syslog",
        "//etc/shadow",
        "/var/log/../log-old/syslog",
        "",
        "nowhere/x",
        "/proc/self/root",
      ],
      ...["-", "/var/log2", "/var/lo"],
    ])
      refused(rules, ["cat", path]);
    refused(rules, ["cat", "syslog", "shadow"]);
    allowed(rules, ["cat", "syslog", "in/error.log", "./nginx//error.log"]);
  });

  it("do not move a directory by making a link of it", () => {
    // Whoever may write to /srv/app replaces its logs by a link: what is in the other place is not what was granted.
    const files = hostWithFiles(["/usr/bin/cat", "/etc/shadow", "/srv/app/x"], { "/srv/app/logs": "/etc" });
    const rules = rulesOf([{ program: "cat", arguments: [{ under: "/srv/app/logs" }] }]);
    assert.equal(decided(rules, "cat /srv/app/logs/shadow", files).outcome, "refuse");
    assert.equal(decided(rules, "cat /etc/shadow", files).outcome, "refuse");
  });

  it("put no program of theirs in the place of another", () => {
    const rules: Written = [{ program: "ls" }, { program: "/opt/app/bin/release" }];
    for (const program of [
      ...[
        "/tmp/ls",
        "./ls",
        "bin/ls",
        "/home/deploy/ls",
        "//usr/bin/ls",
        "/usr/bin/./ls",
        "ls/",
        "/ls",
        "",
        " ls",
      ],
      ...["LS", "lѕ", "ls\u200b", "/opt/app/bin/../bin/release", "/tmp/release", "./release"],
    ])
      refused(rules, [program]);
    // A link that is theirs, to the very program.
    const files = hostWithFiles(["/usr/bin/ls", "/tmp/x"], { "/tmp/ls": "/usr/bin/ls" });
    assert.equal(decided(rulesOf([{ program: "ls" }]), ["/tmp/ls"], files).outcome, "refuse");
    // A name that PROGRAM_PATH leads elsewhere is not the rule's file.
    const other = hostWithFiles(["/usr/local/bin/ls", "/usr/bin/ls"]);
    assert.equal(decided(rulesOf([{ program: "/usr/bin/ls" }]), ["ls"], other).outcome, "refuse");
    const own = decided(rulesOf([{ program: "/usr/bin/ls" }]), ["/usr/bin/ls"], other);
    assert.equal(own.outcome === "allow" && own.program, "/usr/bin/ls");
  });

  it("are not let in by letters that look alike", () => {
    const rules: Written = [{ program: "systemctl", arguments: ["restart", { oneOf: ["nginx", "café"] }] }];
    for (const word of ["ngіnx", "nginx\u200b", "nginx\u00a0", "ｎginx", "cafe\u0301", "nginx\u00ad"])
      refused(rules, ["systemctl", "restart", word]);
    allowed(rules, "systemctl restart café");
  });

  it("find no names of JavaScript's own", () => {
    for (const word of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      refused([{ program: "ls", arguments: [{ oneOf: ["a"] }] }], ["ls", word]);
      refused([{ program: "ls" }], [word]);
    }
  });

  it("keep a decision waiting neither by many ways through a rule nor by long arguments", () => {
    const maybe = { optional: [{ matches: "a*" }] };
    const some = { repeated: { matches: "(a|a)*" }, to: 500 };
    const rules = rulesOf([
      { program: "ls", arguments: [...Array.from({ length: 99 }, () => maybe), "end"] },
      { program: "cat", arguments: [...Array.from({ length: 99 }, () => some), "end"] },
      {
        program: "tail",
        flags: Array.from({ length: 100 }, (_, n) => ({
          flag: `-${"a".repeat(n + 1)}`,
          value: { matches: ".*" },
        })),
        arguments: Array.from({ length: 99 }, () => ({ rest: true })),
      },
    ]);
    const begun = process.cpuUsage();
    for (const program of ["ls", "cat"])
      for (const word of ["a", "", "aaaaaa"])
        assert.equal(decided(rules, [program, ...Array(999).fill(word)]).outcome, "refuse");
    decided(rules, ["tail", ...Array(999).fill("-aaaa")]);
    assert.equal(decided(rules, ["ls", "a".repeat(8000)]).outcome, "refuse");
    const { user } = process.cpuUsage(begun);
    assert.ok(user < 2_000_000, `took ${user} µs`);
    refused([{ program: "ls", arguments: [{ rest: true }] }], ["ls", ...Array(1000).fill("a")]);
  });

  it("put nothing on a terminal by what is said of them", () => {
    const rules: Written = [{ program: "ls", arguments: [{ matches: "\u001b?" }] }];
    for (const asked of [["ls", "\u001b[2Jx"], ["\u001b[2J"], ["ls", "x".repeat(8000)], ["x".repeat(8000)]]) {
      const decision = refused(rules, asked);
      assert.ok(decision.outcome === "refuse");
      for (const text of [decision.detail, ...decision.usages]) {
        assert.doesNotMatch(text, /\p{Cc}/u);
        assert.ok(text.length < 600);
      }
    }
  });
});
