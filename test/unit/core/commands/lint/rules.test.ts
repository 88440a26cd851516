import assert from "node:assert/strict";
import { lint, lintLocal, lintRule, places, withRules } from "./linted.ts";

/** Each rule, on line 7 from column 9, and what is found of it. */
const ROWS: [rule: string, found: string[], says: RegExp][] = [
  // Patterns.
  [
    "{ program: ls, arguments: [{ matches: '.*' }] }",
    ["7:36 warning pattern-too-wide"],
    /nearly any argument/,
  ],
  [
    "{ program: ls, arguments: [{ matches: '[^;]+|.+' }] }",
    ["7:36 warning pattern-too-wide"],
    /nearly any argument/,
  ],
  [
    "{ program: ls, arguments: [{ matches: '/var/log/[a-z./]+' }] }",
    ["7:36 warning pattern-too-wide"],
    /lets \.\. through/,
  ],
  [
    "{ program: ls, arguments: [{ matches: '[a-z./]+' }] }",
    ["7:36 warning pattern-too-wide"],
    /lets \.\. through.*`under`/,
  ],
  [
    "{ program: ls, arguments: [{ matches: '.*nginx' }] }",
    ["7:36 warning pattern-too-wide"],
    /the whole argument/,
  ],
  [
    "{ program: ls, arguments: [{ matches: '^[a-z]+$' }] }",
    ["7:36 note pattern-anchors"],
    /say nothing more/,
  ],
  [
    "{ program: ls, arguments: [{ matches: '--color=[a-z]+' }] }",
    ["7:36 danger never-matches"],
    /List it in `flags`/,
  ],
  ["{ program: ls, flags: [{ flag: -T, value: { matches: '-?[0-9]+' } }] }", [], /^$/],
  ["{ program: ls, arguments: [{ under: / }] }", ["7:36 warning under-root"], /every file/],
  ["{ program: ls, arguments: [{ oneOf: [a, b, a] }] }", ["7:36 note never-matches"], /"a" is there twice/],
  ["{ program: ls, arguments: [{ rest: true }] }", ["7:36 warning rest"], /options too/],
  // The kernel.
  ["{ program: ls, confine: { read: any } }", ["7:35 warning read-any"], /dynamic loader/],
  [
    "{ program: ls, confine: { execute: [/usr/bin/cat, /bin/sh] } }",
    ["7:59 note execute-programs"],
    /whatever it is told/,
  ],
  [
    "{ program: ls, arguments: [{ under: /srv/app }], confine: { execute: [/usr/bin/python3.11] } }",
    ["7:79 danger execute-programs"],
    /python3\.11/,
  ],
  ["{ program: ls, confine: { write: [/srv/app, /] } }", ["7:53 danger write-wide"], /everything/],
  ["{ program: ls, confine: { write: [/usr/local/bin] } }", ["7:43 danger write-wide"], /execute or obey/],
  ["{ program: ls, confine: { write: [/etc/cron.d] } }", ["7:43 danger write-wide"], /execute or obey/],
  ["{ program: ls, confine: { write: [/home] } }", ["7:43 danger write-wide"], /everybody's/],
  [
    "{ program: ls, confine: { write: [/home/deploy] } }",
    ["7:43 danger write-startup-files"],
    /authorized_keys/,
  ],
  [
    "{ program: ls, confine: { write: [/home/deploy/.ssh] } }",
    ["7:43 danger write-startup-files"],
    /past Sallyport/,
  ],
  [
    "{ program: ls, confine: { write: [/home/deploy/.config] } }",
    ["7:43 danger write-startup-files"],
    /obey files there/,
  ],
  ["{ program: ls, confine: { write: [/home/deploy/exchange] } }", [], /^$/],
  [
    "{ program: /srv/app/bin/x, confine: { write: [/srv/app] } }",
    ["7:55 danger write-programs"],
    /could be replaced/,
  ],
  // sudo.
  ["{ program: ls, runAs: root, arguments: [-l] }", ["7:24 note run-as"], /arguments are fixed/],
  [
    "{ program: ls, runAs: root, arguments: [{ under: /srv/app }] }",
    ["7:24 danger run-as"],
    /contractor chooses/,
  ],
  [
    "{ program: ls, runAs: app, arguments: [{ under: /srv/app }] }",
    ["7:24 warning run-as"],
    /contractor chooses/,
  ],
  [
    "{ program: ls, runAs: app, confine: { write: [/srv/app] } }",
    ["7:36 warning run-as", "7:24 note run-as"],
    /no effect/,
  ],
  // The environment.
  ["{ program: ls, environment: { LD_PRELOAD: /srv/x.so } }", ["7:39 danger environment"], /loader/],
  ["{ program: ls, environment: { PYTHONPATH: /srv } }", ["7:39 danger environment"], /Python/],
  ["{ program: ls, environment: { PERL5LIB: /srv } }", ["7:39 danger environment"], /Perl/],
  ["{ program: ls, environment: { BASH_ENV: /srv/x } }", ["7:39 danger environment"], /shells/],
  ["{ program: ls, environment: { ENV: /srv/x } }", ["7:39 danger environment"], /shells/],
  ["{ program: ls, environment: { GIT_SSH: /srv/x } }", ["7:39 warning environment"], /git/],
  ["{ program: ls, environment: { LESSOPEN: /srv/x } }", ["7:39 warning environment"], /pager/],
  ["{ program: ls, environment: { PAGER: /srv/x } }", ["7:39 warning environment"], /pager/],
  ["{ program: ls, environment: { PAGER: cat } }", [], /^$/],
  ["{ program: ls, environment: { EDITOR: vim } }", ["7:39 warning environment"], /start others/],
  ["{ program: ls, environment: { PATH: /srv/bin } }", ["7:39 warning environment"], /looked for there/],
  ["{ program: ls, environment: { LANG: de_DE.UTF-8, TZ: UTC, APP_ENV: test } }", [], /^$/],
];

describe("the linter on rules", () => {
  for (const [rule, expected, says] of ROWS) {
    it(rule, () => {
      const found = lintRule(rule);
      assert.deepEqual(places(found), expected);
      assert.match(found.map(({ message }) => message).join("\n"), says);
    });
  }

  it("names rules that never count", () => {
    const found = lint(
      withRules([
        "{ name: log, program: tail, flags: [-f, -q], arguments: [{ under: /var/log }] }",
        "{ program: tail, arguments: [{ under: /srv/log }] }",
        "{ program: tail, flags: [-q, -f], arguments: [{ under: /var/log }], timeLimit: 5 }",
        "{ program: ls, arguments: [{ rest: true }] }",
        "{ program: ls, arguments: [-l] }",
      ]),
    );
    assert.deepEqual(places(found), [
      "10:36 warning rest",
      "9:9 warning duplicate-rule",
      "11:9 warning shadowed-rule",
    ]);
    assert.match(found[1]?.message ?? "", /rule 1 \(log\)/);
    assert.match(found[2]?.message ?? "", /Rule 4 \(ls\)/);
    const runsAs = withRules(["{ program: id, runAs: app }", "{ program: id }"]);
    assert.match(lint(runsAs).find(({ code }) => code === "duplicate-rule")?.message ?? "", /never counts/);
    assert.deepEqual(places(lint(withRules(["", ""].slice(2)).replace("rules:\n\n", "rules: []\n"))), [
      "6:7 warning empty-list",
    ]);
  });

  it("tells of a set once, where it stands", () => {
    const rule = "[{ program: ls, arguments: [{ rest: true }] }]";
    const text = withRules(["{ program: id }"])
      .replace("version: 1\n", `version: 1\ncommandSets:\n  wide: ${rule}\n  never: [{ program: w }]\n`)
      .replace("      rules:", "      use: [wide]\n      rules:");
    const second = text.slice(text.indexOf("  - name")).replace("acme-web", "acme-db");
    const found = lint(`${text}${second}`);
    assert.deepEqual(places(found), ["3:37 warning rest", "4:3 note unused-set"]);
  });

  it("judges a host's own policy by what it takes away", () => {
    const found = lintLocal(`version: 1
commands:
  rules:
    - { program: vim, arguments: [{ rest: true }] }
    - { program: /usr/bin/vim, arguments: [{ matches: "-[a-z]" }] }
`);
    assert.deepEqual(places(found), ["5:44 danger never-matches", "4:9 warning not-absolute"]);
    assert.match(found[1]?.message ?? "", /\/usr\/bin\/vim/);
    assert.deepEqual(lintLocal("version: 1\naccounts: [deploy]\n"), []);
  });
});
