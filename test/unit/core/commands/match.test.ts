import assert from "node:assert/strict";
import { CommandGrant } from "@sallyport/core/commands/command-rule.ts";
import { CommandRules } from "@sallyport/core/commands/match.ts";
import { decided, HOME, HOST, rulesOf, type Written } from "./host-with-files.ts";

const YES = "allow";
const NO = "argument-not-allowed";
const UNKNOWN = "command-not-allowed";

/** Rules, and for lines what becomes of them. */
const tables: Record<string, [rules: Written, lines: [line: string, answer: string][]]> = {
  "a literal and one of": [
    [{ program: "systemctl", arguments: ["restart", { oneOf: ["nginx", "redis"] }] }],
    [
      ["systemctl restart nginx", YES],
      ["/usr/bin/systemctl restart redis", YES],
      ["/bin/systemctl restart redis", YES],
      ["systemctl restart", NO],
      ["systemctl", NO],
      ["systemctl restart sshd", NO],
      ["systemctl restart nginx redis", NO],
      ["systemctl restart Nginx", NO],
      ["systemctl restart nginx ''", NO],
      ["systemctl stop nginx", NO],
      ["systemctl --user restart nginx", NO],
      ["systemctl -- restart nginx", NO],
      ["reboot", UNKNOWN],
      ["./systemctl restart nginx", UNKNOWN],
      ["../usr/bin/systemctl restart nginx", UNKNOWN],
      ["/usr/bin/../bin/systemctl restart nginx", NO],
      ["/tmp/systemctl restart nginx", NO],
    ],
  ],
  "no arguments": [
    [{ program: "ls" }],
    [
      ["ls", YES],
      ["ls /", NO],
      ["ls ''", NO],
      ["ls -l", NO],
      ["ls --", NO],
    ],
  ],
  integers: [
    [
      { program: "tail", arguments: ["a", { integer: { from: 1, to: 1000 } }] },
      { program: "tail", arguments: ["b", { integer: { from: -5, to: 5 } }] },
    ],
    [
      ["tail a 1", YES],
      ["tail a 1000", YES],
      ["tail a 0", NO],
      ["tail a 1001", NO],
      ["tail a 01", NO],
      ["tail a +1", NO],
      ["tail a 1.0", NO],
      ["tail a 1e2", NO],
      ["tail a 0x10", NO],
      ["tail a ' 1'", NO],
      ["tail a ١", NO],
      ["tail a 99999999999999999999999", NO],
      ["tail b -5", YES],
      ["tail b 0", YES],
      ["tail b -0", NO],
      ["tail b -6", NO],
    ],
  ],
  "flags anywhere": [
    [
      {
        program: "journalctl",
        flags: [
          "-f",
          "--no-pager",
          { flag: "-n", value: { integer: { from: 1, to: 500 } } },
          { flag: "--lines", value: { integer: { from: 1, to: 500 } } },
          { flag: "-since", value: { oneOf: ["today"] } },
          { flag: "-o=", value: { oneOf: ["json", "cat"] } },
          { flag: "--grep", value: { matches: "-?[a-z]+" } },
        ],
        arguments: ["-u", { oneOf: ["nginx", "-f"] }],
      },
    ],
    [
      ["journalctl -u nginx", YES],
      ["journalctl -f -u nginx", YES],
      ["journalctl -u -f nginx", YES],
      ["journalctl -u nginx -f --no-pager", YES],
      ["journalctl -u -f", YES],
      ["journalctl -u -f -f -f", YES],
      ["journalctl -u nginx -n 5", YES],
      ["journalctl -n5 -u nginx", YES],
      ["journalctl -n -u nginx", NO],
      ["journalctl -u nginx -n", NO],
      ["journalctl -u nginx -n=5", NO],
      ["journalctl -u nginx -n 501", NO],
      ["journalctl -u nginx -n501", NO],
      ["journalctl -u nginx --lines=5", YES],
      ["journalctl -u nginx --lines 5", YES],
      ["journalctl -u nginx --lines5", NO],
      ["journalctl -u nginx --line=5", NO],
      ["journalctl -u nginx --lines=", NO],
      ["journalctl -u nginx -since today", YES],
      ["journalctl -u nginx -since=today", NO],
      ["journalctl -u nginx -sincetoday", NO],
      ["journalctl -u nginx -o=json", YES],
      ["journalctl -u nginx -o= json", NO],
      ["journalctl -u nginx -o json", NO],
      ["journalctl -u nginx --grep=-x", YES],
      ["journalctl -u nginx --grep -x", NO],
      ["journalctl -u nginx --no-pager=x", NO],
      ["journalctl -u nginx -fn 5", NO],
      ["journalctl -f", NO],
    ],
  ],
  "`--`, where it is written": [
    [
      { program: "tail", flags: ["-f"], arguments: [{ optional: ["--"] }, { matches: "[a-z]+" }] },
      { program: "git", flags: ["-v", "--"], arguments: ["log", { repeated: { matches: ".*" }, to: 3 }] },
    ],
    [
      ["tail -f a", YES],
      ["tail a -f", YES],
      ["tail -f -- a", YES],
      ["tail -- a", YES],
      ["tail -- a -f", NO],
      ["tail -- -f", NO],
      ["tail -- -- a", NO],
      ["git log a b -v", YES],
      ["git log -- a b", YES],
      ["git log -- a -v", NO],
      ["git -- log", YES],
      ["git log -- -- a", NO],
    ],
  ],
  "optional and repeated": [
    [
      {
        program: "git",
        arguments: ["pull", { optional: ["origin", { oneOf: ["main", "dev"] }] }, { optional: ["origin"] }],
      },
      {
        program: "cat",
        arguments: [{ repeated: { oneOf: ["a", "b"] }, from: 2, to: 4 }, { optional: ["b"] }, "end"],
      },
      { program: "ls", arguments: [{ repeated: { matches: "[a-z]*" }, to: 1000 }] },
    ],
    [
      ["git pull", YES],
      ["git pull origin main", YES],
      ["git pull origin", YES],
      ["git pull origin dev origin", YES],
      ["git pull origin origin", NO],
      ["git pull main", NO],
      ["cat a end", NO],
      ["cat a b end", YES],
      ["cat a b b end", YES],
      ["cat a a b b end", YES],
      ["cat a a b b b end", YES],
      ["cat a a a a a end", NO],
      ["cat a a b b b b end", NO],
      ["ls", YES],
      ["ls a '' c", YES],
      ["ls a -l", NO],
      ["ls a B", NO],
    ],
  ],
  "the rest": [
    [
      { program: "deploy", arguments: ["run", { rest: true }] },
      { program: "tool", arguments: [{ rest: true }, "end"] },
    ],
    [
      ["deploy run", YES],
      ["deploy run -x -- '' --anything=else", YES],
      ["deploy walk", NO],
      ["tool end", YES],
      ["tool -x end end", YES],
      ["tool end x", NO],
    ],
  ],
  "paths under a directory": [
    [
      { program: "tail", arguments: [{ under: "/var/log" }] },
      { program: "cat", directory: "/var/log/nginx", flags: [{ flag: "-f", value: { under: "/var/log" } }] },
      { program: "ls", arguments: [{ under: HOME }] },
      { program: "find", arguments: [{ under: "/" }] },
    ],
    [
      ["tail /var/log/syslog", YES],
      ["tail /var/log", YES],
      ["tail /var/log/", YES],
      ["tail /var/log/new-file", YES],
      ["tail /var/log/in/error.log", YES],
      ["tail /var/log/nginx/../syslog", YES],
      ["tail /var/log-old/syslog", NO],
      ["tail /var/log/../../etc/shadow", NO],
      ["tail /var/log/in/../../../etc/shadow", NO],
      ["tail /var/log/out/shadow", NO],
      ["tail /var/log/shadow", NO],
      ["tail /var/log/no/where", NO],
      ["tail syslog", NO],
      ["tail ''", NO],
      ["cat -f error.log", YES],
      ["cat -ferror.log", YES],
      ["cat -f ../syslog", YES],
      ["cat -f ../../log-old/syslog", NO],
      ["cat -f=/etc/shadow", NO], // the file "=/etc/shadow" of the directory, as getopt(3) has it
      ["cat -f=new", YES],
      ["ls app", YES],
      ["ls logs/shadow", NO],
      ["ls '~'", YES], // a file of that name
      ["find /etc/shadow", YES],
    ],
  ],
  "a program by its path": [
    [
      { program: "/opt/app/bin/release", arguments: ["1"] },
      { program: "/bin/cat", arguments: ["1"] },
      { program: "/opt/linked/linked", arguments: ["1"] },
      { program: "/opt/other/tool", arguments: ["1"] },
    ],
    [
      ["/opt/app/bin/release 1", YES],
      ["release 1", YES],
      ["/usr/local/bin/release 1", NO],
      ["cat 1", YES],
      ["/bin/cat 1", YES],
      ["/usr/bin/cat 1", YES],
      ["linked 1", YES],
      ["tool 1", UNKNOWN],
      ["/usr/bin/tool 1", UNKNOWN],
      ["/opt/other/tool 1", "program-missing"],
      ["/opt/other/tool 2", NO],
    ],
  ],
};

describe("commands that an engagement allows", () => {
  for (const [what, [rules, lines]] of Object.entries(tables))
    describe(what, () => {
      const compiled = rulesOf(rules);
      for (const [line, answer] of lines)
        it(`${line}: ${answer}`, () => {
          const decision = decided(compiled, line);
          const got = decision.outcome === "allow" ? YES : decision.code;
          // Whether no rule is near, or its arguments are not: both are refusals, told apart elsewhere.
          if (answer === NO && got === UNKNOWN) assert.match(line, /^(\.|\/)/);
          else assert.equal(got, answer);
        });
    });

  it("says what to run, where, and for how long", () => {
    const rules = rulesOf([
      {
        name: "logs",
        program: "tail",
        directory: "/var/log",
        arguments: [
          { repeated: { under: "/var/log" }, from: 1, to: 9 },
          { optional: [{ under: "/srv/app" }] },
        ],
        timeLimit: 30,
      },
    ]);
    const decision = decided(rules, "/bin/tail syslog nginx/error.log /srv/app/data");
    assert.ok(decision.outcome === "allow");
    assert.deepEqual(
      { ...decision, rule: null },
      {
        outcome: "allow",
        rule: null,
        name: "logs",
        program: "/usr/bin/tail",
        argv: ["/bin/tail", "syslog", "nginx/error.log", "/srv/app/data"],
        directory: "/var/log",
        under: ["/srv/app", "/var/log"],
        timeLimit: 30,
        outputLimit: null,
        confinement: "available",
      },
    );
    const plain = decided(rulesOf([{ program: "ls" }]), "ls");
    assert.equal(plain.outcome === "allow" && plain.directory, HOME);
  });

  it("takes the first rule that fits", () => {
    const rules = rulesOf([
      { name: "first", program: "ls", arguments: ["a"] },
      { name: "second", program: "ls", arguments: [{ matches: "." }] },
      { name: "third", program: "ls", arguments: ["b"] },
    ]);
    const name = (line: string) => {
      const decision = decided(rules, line);
      return decision.outcome === "allow" ? decision.name : decision.code;
    };
    assert.equal(name("ls a"), "first");
    assert.equal(name("ls b"), "second");
    assert.equal(name("/bin/ls c"), "second");
  });

  it("goes on where a rule's program is missing, and says so when all are", () => {
    const [absent, there] = [{ program: "/opt/none/ls" }, { program: "ls" }];
    assert.equal(decided(rulesOf([absent, there]), "ls").outcome, "allow");
    const decision = decided(rulesOf([{ program: "redis-cli" }]), "redis-cli");
    assert.ok(decision.outcome === "refuse");
    assert.equal(decision.code, "program-missing");
    assert.equal(decision.detail, "`redis-cli` is allowed here, but this host cannot run it.");
  });

  it("allows nothing without a grant, without rules and without words", () => {
    for (const rules of [rulesOf(), rulesOf([])]) assert.equal(decided(rules, "ls").outcome, "refuse");
    for (const words of [[], [""]])
      assert.equal(decided(rulesOf([{ program: "ls" }]), words).outcome, "refuse");
  });
});

describe("commands that a host's own policy is asked about as well", () => {
  const engagement: Written = [
    { program: "systemctl", arguments: ["restart", { matches: "[a-z]+" }], runAs: "root", timeLimit: 60 },
    { program: "tail", directory: "/var/log", arguments: [{ under: "/var/log" }], outputLimit: 5000 },
    { program: "ls", arguments: [{ matches: ".*" }] },
  ];

  it("are allowed by both, with the narrowest limits and directories", () => {
    const rules = rulesOf(engagement, [
      {
        program: "systemctl",
        arguments: ["restart", "nginx"],
        runAs: "root",
        timeLimit: 90,
        outputLimit: 10,
      },
      { program: "/usr/bin/tail", arguments: [{ under: "/var/log/nginx" }], timeLimit: 5, outputLimit: 1 },
    ]);
    const restart = decided(rules, "systemctl restart nginx");
    assert.ok(restart.outcome === "allow");
    assert.deepEqual([restart.timeLimit, restart.outputLimit], [60, 10]);
    const tail = decided(rules, "tail nginx/error.log");
    assert.ok(tail.outcome === "allow");
    assert.deepEqual([tail.timeLimit, tail.outputLimit, tail.under], [5, 1, ["/var/log/nginx"]]);
    for (const [line, code] of [
      ["systemctl restart sshd", NO],
      ["tail syslog", NO],
      ["ls x", UNKNOWN],
    ] as const) {
      const decision = decided(rules, line);
      assert.ok(decision.outcome === "refuse", line);
      assert.equal(decision.code, code);
      assert.match(decision.detail, /host's own policy/);
    }
    assert.deepEqual(
      rules.usages().map(({ name }) => name),
      ["systemctl", "tail"],
    );
  });

  it("are refused where it has them run as another, or elsewhere", () => {
    const asNobody = rulesOf(engagement, [{ program: "systemctl", arguments: [{ rest: true }] }]);
    assert.equal(decided(asNobody, "systemctl restart nginx").outcome, "refuse");
    const elsewhere = rulesOf(engagement, [
      { program: "tail", directory: "/etc", arguments: [{ rest: true }] },
    ]);
    assert.equal(decided(elsewhere, "tail syslog").outcome, "refuse");
  });

  it("take their relative paths from where they run, not from where it would run them", () => {
    const rules = rulesOf(engagement, [{ program: "tail", arguments: [{ under: "/var/log" }] }]);
    assert.equal(decided(rules, "tail syslog").outcome, "allow");
    const home = rulesOf(
      [{ program: "tail", arguments: [{ matches: ".*" }] }],
      [{ program: "tail", directory: "/var/log", arguments: [{ under: "/var/log" }] }],
    );
    assert.equal(decided(home, "tail syslog").outcome, "refuse");
  });

  it("go to a later rule of the engagement where it objects to the first", () => {
    const rules = rulesOf(
      [
        { name: "as-root", program: "ls", runAs: "root" },
        { name: "plain", program: "ls" },
      ],
      [{ program: "ls" }],
    );
    const decision = decided(rules, "ls");
    assert.equal(decision.outcome === "allow" && decision.name, "plain");
  });

  it("are confined as the strictest wants", () => {
    const grant = (confinement: string) => CommandGrant.parse({ rules: [{ program: "ls" }], confinement });
    for (const [one, other, both] of [
      ["available", "available", "available"],
      ["available", "required", "required"],
      ["required", "available", "required"],
    ] as const) {
      const decision = new CommandRules([grant(one), grant(other)]).decide(["ls"], {
        home: HOME,
        files: HOST,
      });
      assert.equal(decision.outcome === "allow" && decision.confinement, both);
    }
  });
});
