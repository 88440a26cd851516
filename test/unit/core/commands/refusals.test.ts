import assert from "node:assert/strict";
import { decided, rulesOf, type Written } from "./host-with-files.ts";

const RULES: Written = [
  {
    program: "systemctl",
    arguments: ["restart", { oneOf: ["nginx", "redis"] }],
    description: "Restarts a service.",
  },
  { program: "systemctl", arguments: ["status", { oneOf: ["nginx", "redis", "postgresql"] }] },
  {
    name: "logs",
    program: "/usr/bin/tail",
    flags: ["-f", { flag: "-n", value: { integer: { from: 1, to: 1000 } } }, { flag: "-o=", value: "x" }],
    arguments: [{ under: "/var/log" }],
  },
  {
    program: "/opt/app/bin/release",
    arguments: [{ matches: "v[0-9]+" }, { optional: ["--dry-run", "it's"] }],
  },
  { program: "ls", arguments: [{ repeated: { under: "/" }, to: 5 }] },
  { program: "cat", arguments: [{ repeated: "a b", from: 1, to: 1 }, { rest: true }] },
];
const USAGES = [
  "systemctl restart nginx|redis",
  "systemctl status nginx|redis|postgresql",
  "tail [-f] [-n 1..1000] [-o=x] /var/log/…",
  "/opt/app/bin/release /v[0-9]+/ [--dry-run 'it'\\''s']",
  "ls [/… …]",
  "cat 'a b' […]",
];

describe("what is said of a refused command", () => {
  const rules = rulesOf(RULES);
  const rows: [asked: string, detail: string][] = [
    ["reboot", "`reboot` is not one of the commands that are allowed here."],
    ["./reboot", "A program is given by its name or its absolute path, and not as `./reboot`."],
    [
      "systemctl stop nginx",
      "Argument 1 of `systemctl`, `stop`, is not allowed there: it may be `restart` or `status`.",
    ],
    [
      "systemctl restart sshd",
      "Argument 2 of `systemctl`, `sshd`, is not allowed there: it may be `nginx|redis`.",
    ],
    ["systemctl restart", "An argument of `systemctl` is missing at the end: it may be `nginx|redis`."],
    ["systemctl", "An argument of `systemctl` is missing at the end: it may be `restart` or `status`."],
    ["systemctl restart nginx now", "Argument 3 of `systemctl`, `now`, is one too many."],
    [
      "tail /etc/shadow",
      "Argument 1 of `tail`, `/etc/shadow`, is not allowed there: it may be `/var/log/…`.",
    ],
    [
      "tail -x /var/log/syslog",
      "Argument 1 of `tail`, `-x`, is not allowed there: it may be `/var/log/…`, `-f`, `-n` or `-o=`.",
    ],
    ["tail -n 0 /var/log/syslog", "Argument 2 of `tail`, `0`, is not allowed there: it may be `1..1000`."],
  ];
  for (const [asked, detail] of rows)
    it(asked, () => {
      const decision = decided(rules, asked);
      assert.equal(decision.outcome === "refuse" && decision.detail, detail);
    });

  it("has at most ten usages with it, those of the same program first", () => {
    const tail = decided(rules, "tail");
    assert.deepEqual(tail.outcome === "refuse" && tail.usages, [
      USAGES[2],
      ...USAGES.filter((usage) => !usage.startsWith("tail")),
    ]);
    const many = rulesOf(
      Array.from({ length: 30 }, (_, n) => ({ program: n < 25 ? "ls" : "cat", arguments: [`${n}`] })),
    );
    const cat = decided(many, "cat");
    assert.deepEqual(cat.outcome === "refuse" && cat.usages, [
      ...["cat 25", "cat 26", "cat 27", "cat 28", "cat 29", "ls 0", "ls 1", "ls 2", "ls 3", "ls 4"],
    ]);
  });

  it("names a few of many that might have been meant", () => {
    const many = rulesOf(
      Array.from({ length: 1000 }, (_, n) => ({ program: "ls", arguments: ["a", `${n}`] })),
    );
    const decision = decided(many, "ls a x");
    assert.ok(decision.outcome === "refuse");
    assert.match(decision.detail, /it may be `0`, `1`, .*`7` or others\.$/);
  });
});

describe("usages", () => {
  it("are how each command is typed", () => {
    assert.deepEqual(rulesOf(RULES).usages(), [
      { name: "systemctl", usage: USAGES[0], description: "Restarts a service." },
      { name: "systemctl", usage: USAGES[1], description: null },
      { name: "logs", usage: USAGES[2], description: null },
      { name: "release", usage: USAGES[3], description: null },
      { name: "ls", usage: USAGES[4], description: null },
      { name: "cat", usage: USAGES[5], description: null },
    ]);
  });

  it("are short, whatever the rule has", () => {
    const long = { oneOf: Array.from({ length: 1000 }, (_, n) => `service-${n}`) };
    const [usage] = rulesOf([{ program: "ls", arguments: Array(100).fill(long) }]).usages();
    assert.match(usage?.usage ?? "", /^ls service-0\|service-1\|.*…$/);
    assert.ok((usage?.usage.length ?? 0) <= 501);
  });
});

describe("completion", () => {
  const rows: [words: string[], found: string[]][] = [
    [[""], ["systemctl", "tail", "/opt/app/bin/release", "ls", "cat"]],
    [["s"], ["systemctl"]],
    [["/"], ["/usr/bin/tail", "/opt/app/bin/release"]],
    [["x"], []],
    [
      ["systemctl", ""],
      ["restart", "status"],
    ],
    [["systemctl", "re"], ["restart"]],
    [["/usr/bin/systemctl", "re"], ["restart"]],
    [
      ["systemctl", "status", ""],
      ["nginx", "redis", "postgresql"],
    ],
    [["systemctl", "status", "p"], ["postgresql"]],
    [["systemctl", "status", "nginx", ""], []],
    [["systemctl", "stop", ""], []],
    [
      ["tail", ""],
      ["-f", "-n", "-o="],
    ],
    [["tail", "-o="], ["-o=x"]],
    [["tail", "-n", ""], []],
    [
      ["tail", "-n", "5", "-"],
      ["-f", "-n", "-o="],
    ],
    [["/opt/app/bin/release", "v1", ""], ["--dry-run"]],
    [["/opt/app/bin/release", "v1", "--dry-run", ""], ["it's"]],
    [["cat", ""], ["a b"]],
    [[], []],
  ];
  const rules = rulesOf(RULES);
  for (const [words, found] of rows)
    it(JSON.stringify(words), () => assert.deepEqual(rules.complete(words), found));

  it("has only what the host's own policy has too", () => {
    const both = rulesOf(RULES, [
      { program: "systemctl", arguments: [{ matches: "restart" }, { oneOf: ["redis", "x"] }] },
    ]);
    assert.deepEqual(both.complete([""]), ["systemctl"]);
    assert.deepEqual(both.complete(["systemctl", ""]), ["restart"]);
    assert.deepEqual(both.complete(["systemctl", "restart", ""]), ["redis"]);
  });

  it("ends somewhere", () => {
    const many = rulesOf([
      { program: "ls", arguments: [{ oneOf: Array.from({ length: 900 }, (_, n) => `${n}`) }] },
    ]);
    assert.equal(many.complete(["ls", ""]).length, 200);
  });
});
