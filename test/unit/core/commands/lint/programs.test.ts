import assert from "node:assert/strict";
import { lint, lintRule, places, withRules } from "./linted.ts";

/** Each rule, and what is found of it where the kernel is required to confine: line 7, columns from 9. */
const ROWS: [rule: string, found: string[], says?: RegExp][] = [
  // Programs with a prompt.
  [
    "{ program: less, arguments: [{ under: /var/log }] }",
    ["7:11 note starts-programs"],
    /by ! \| and v at its prompt.*Landlock stops that;.*LESSSECURE=1/,
  ],
  ['{ program: less, environment: { LESSSECURE: "1" }, arguments: [{ under: /var/log }] }', []],
  ["{ program: more, arguments: [{ under: /var/log }] }", ["7:11 note starts-programs"]],
  ["{ program: man, arguments: [ls] }", ["7:11 note starts-programs"], /! in its pager/],
  [
    "{ program: vim.basic, arguments: [{ under: /srv/app }] }",
    ["7:11 note starts-programs"],
    /:! and :terminal/,
  ],
  ["{ program: nano, arguments: [{ under: /srv/app }] }", ["7:11 note starts-programs"]],
  ["{ program: emacs }", ["7:11 note starts-programs"]],
  ["{ program: ed, arguments: [{ under: /srv/app }] }", ["7:11 note starts-programs"]],
  ["{ program: gdb }", ["7:11 danger runs-code", "7:11 note starts-programs"]],
  ["{ program: tmux }", ["7:11 note starts-programs", "7:11 note asks-a-service"]],
  [
    "{ program: screen, arguments: [{ rest: true }] }",
    ["7:11 danger asks-a-service", "7:40 warning rest", "7:11 note starts-programs"],
  ],
  ["{ program: ftp, arguments: [ftp.example.com] }", ["7:11 note starts-programs"]],
  [
    "{ program: journalctl, arguments: [-u, nginx] }",
    ["7:11 note starts-programs"],
    /--no-pager among the arguments/,
  ],
  ["{ program: journalctl, arguments: [--no-pager, -u, nginx] }", []],
  ["{ program: systemctl, arguments: [--no-pager, status, nginx] }", []],
  ["{ program: systemctl, arguments: [restart, nginx] }", []],
  ["{ program: systemctl, arguments: [{ oneOf: [restart, status] }, nginx] }", ["7:11 note starts-programs"]],
  ["{ program: journalctl, flags: [--no-pager] }", ["7:11 note starts-programs"]],
  [
    "{ program: journalctl, arguments: [--no-pager, -u, nginx, { rest: true }] }",
    ["7:67 warning rest", "7:11 note starts-programs"],
  ],
  [
    "{ program: journalctl, arguments: [--no-pager, { rest: true }] }",
    ["7:56 warning rest", "7:11 note starts-programs"],
  ],
  [
    "{ program: systemctl, arguments: [restart, { rest: true }] }",
    [
      "7:52 danger asks-a-service",
      "7:52 danger asks-a-service",
      "7:52 warning rest",
      "7:11 note starts-programs",
    ],
  ],
  [
    "{ program: systemctl, arguments: [--no-pager, restart, { matches: '[a-z]+' }] }",
    ["7:64 danger asks-a-service"],
    /any unit/,
  ],
  ["{ program: systemctl, arguments: [--no-pager, edit, nginx] }", ["7:55 note asks-a-service"]],
  [
    "{ program: psql, arguments: [app] }",
    ["7:11 note starts-programs", "7:11 note reaches-out"],
    /\\!.*program/,
  ],
  ["{ program: psql, arguments: [-c, select 1, app] }", []],
  [
    "{ program: psql, arguments: [-c, { matches: 'select [a-z]+' }] }",
    ["7:38 note starts-programs", "7:11 warning reaches-out", "7:11 note starts-programs"],
  ],
  ["{ program: mysql, arguments: [app] }", ["7:11 note starts-programs"], /system/],
  // Languages and shells.
  ["{ program: bash }", ["7:11 danger runs-code"], /as a shell does/],
  ["{ program: bash, arguments: [-c, uptime] }", []],
  [
    "{ program: bash, arguments: [-c, { matches: '[a-z ]+' }] }",
    ["7:38 danger runs-code", "7:42 danger runs-code"],
  ],
  ["{ program: sh, arguments: [/opt/app/release, { matches: 'v[0-9]+' }] }", []],
  [
    "{ program: python3.11, arguments: [{ under: /srv/app }] }",
    ["7:44 danger runs-code"],
    /Not even Landlock keeps that from what it may read/,
  ],
  ["{ program: python3, flags: [-c] }", ["7:11 danger runs-code"]],
  ["{ program: perl, arguments: [{ rest: true }] }", ["7:11 danger runs-code", "7:38 warning rest"]],
  ["{ program: ruby }", ["7:11 danger runs-code"]],
  ["{ program: node, arguments: [{ under: /srv/app }] }", ["7:38 danger runs-code"]],
  [
    "{ program: php8.2, flags: [{ flag: -d, value: { matches: '[a-z=]+' } }], arguments: [/srv/x.php] }",
    ["7:48 danger runs-code"],
  ],
  ["{ program: lua5.4 }", ["7:11 danger runs-code"]],
  ["{ program: awk, arguments: [{ matches: '[a-z{} ]+' }] }", ["7:37 note starts-programs"], /system\(\)/],
  ["{ program: awk, arguments: ['{ print $1 }', { under: /srv/app }] }", []],
  ["{ program: mawk, arguments: ['BEGIN { system(\"id\") }'] }", ["7:38 note starts-programs"]],
  ["{ program: sed, arguments: [{ matches: '[a-z{} ]+' }] }", ["7:37 note starts-programs"], /the e command/],
  ["{ program: sed, arguments: [-n, 1p, { under: /srv/app }] }", []],
  ["{ program: sed, arguments: ['s/a/id/e', { under: /srv/app }] }", ["7:37 note starts-programs"]],
  // Launchers.
  ["{ program: find, arguments: [{ under: /var/log }, -name, '*.log'] }", []],
  [
    "{ program: find, arguments: [{ under: /var/log }, -exec, cat, '{}', +] }",
    ["7:59 note starts-programs"],
    /find -exec/,
  ],
  ["{ program: tar, flags: [-x, { flag: -f, value: { under: /srv/app } }] }", []],
  ["{ program: tar, arguments: [-xIf, { under: /srv/app }] }", ["7:37 note starts-programs"]],
  ["{ program: tar, flags: [--checkpoint-act] }", ["7:33 note starts-programs"]],
  ["{ program: git, arguments: [pull] }", ["7:11 note starts-programs"], /hooks, aliases/],
  [
    "{ program: git, flags: [{ flag: -c, value: { matches: '[a-z.=]+' } }], arguments: [log] }",
    ["7:45 danger runs-code", "7:11 note starts-programs"],
  ],
  ["{ program: xargs, arguments: [{ matches: '[a-z]+' }] }", ["7:39 note starts-programs"]],
  ["{ program: env, arguments: [{ under: /usr/bin }] }", ["7:37 note starts-programs"]],
  ["{ program: nice }", ["7:11 note starts-programs"]],
  ["{ program: nohup, arguments: [{ under: /usr/bin }] }", ["7:39 note starts-programs"]],
  [
    "{ program: timeout, arguments: [{ integer: { from: 1, to: 9 } }, { under: /usr/bin }] }",
    ["7:74 note starts-programs"],
  ],
  ["{ program: timeout, arguments: [{ integer: { from: 1, to: 9 } }, uptime] }", []],
  ["{ program: watch, arguments: [{ matches: '[a-z]+' }] }", ["7:39 note starts-programs"]],
  ["{ program: strace, arguments: [{ matches: '[a-z]+' }] }", ["7:40 note starts-programs"]],
  ["{ program: busybox, arguments: [{ oneOf: [ls, sh] }] }", ["7:41 note starts-programs"], /busybox sh/],
  ["{ program: sudo, arguments: [-n, id] }", ["7:11 note asks-a-service"], /runAs/],
  ["{ program: su }", ["7:11 note asks-a-service"]],
  ["{ program: zip, flags: [-TT] }", ["7:33 note starts-programs"]],
  ["{ program: make, arguments: [install] }", ["7:11 warning runs-code"], /recipes/],
  ["{ program: npm, arguments: [{ matches: '[a-z]+' }] }", ["7:11 danger runs-code"]],
  ["{ program: pip3, arguments: [install, { matches: '[a-z]+' }] }", ["7:11 danger runs-code"]],
  [
    "{ program: apt-get, arguments: [install, { matches: '[a-z]+' }] }",
    ["7:11 danger runs-code"],
    /maintainer scripts/,
  ],
  ["{ program: dpkg, arguments: [-l] }", ["7:11 warning runs-code"]],
  ["{ program: dnf, arguments: [update] }", ["7:11 warning runs-code"]],
  ["{ program: openssl, arguments: [engine, { matches: '[a-z]+' }] }", ["7:41 danger runs-code"]],
  ["{ program: nmap, flags: [{ flag: --script, value: { matches: '[a-z]+' } }] }", ["7:52 danger runs-code"]],
  // Services and other machines.
  ["{ program: docker, arguments: [ps] }", []],
  ["{ program: docker, arguments: [logs, { matches: '[a-z]+' }] }", []],
  [
    "{ program: docker, arguments: [exec, app, { matches: '[a-z]+' }] }",
    ["7:40 danger asks-a-service"],
    /root's on the host/,
  ],
  [
    "{ program: podman, flags: [{ flag: -v, value: { matches: '[a-z:]+' } }], arguments: [ps] }",
    ["7:48 danger asks-a-service"],
  ],
  ["{ program: kubectl, arguments: [exec, { matches: '[a-z]+' }] }", ["7:41 warning reaches-out"]],
  [
    "{ program: ssh, arguments: [{ matches: '[a-z]+' }] }",
    ["7:11 warning reaches-out", "7:37 note starts-programs"],
  ],
  [
    "{ program: rsync, flags: [{ flag: -e, value: { matches: '[a-z]+' } }] }",
    ["7:11 warning reaches-out", "7:47 note starts-programs"],
  ],
  [
    "{ program: ansible-playbook, arguments: [{ under: /srv/plays }] }",
    ["7:50 danger runs-code", "7:11 note starts-programs"],
  ],
  ["{ program: crontab, arguments: [-l] }", []],
  ["{ program: crontab, arguments: [{ under: /srv/app }] }", ["7:11 danger asks-a-service"]],
  ["{ program: at, arguments: [{ matches: '[a-z]+' }] }", ["7:11 danger asks-a-service"]],
  // The loader, scripts, and what is harmless.
  [
    "{ program: /lib64/ld-linux-x86-64.so.2, arguments: [{ under: /usr }] }",
    ["7:11 danger runs-code"],
    /any program that it can read/,
  ],
  ["{ program: /opt/app/deploy.sh, arguments: [{ matches: 'v[0-9]+' }] }", ["7:11 note script"]],
  ["{ program: tail, flags: [-f], arguments: [{ under: /var/log }] }", []],
];

describe("the linter's table of programs", () => {
  for (const [rule, expected, says] of ROWS) {
    it(rule, () => {
      const found = lintRule(rule);
      assert.deepEqual(places(found).toSorted(), expected.toSorted());
      if (says !== undefined) assert.match(found.map(({ message }) => message).join("\n"), says);
    });
  }

  it("tells of writers only where they may write, or where nothing holds them", () => {
    const rule = "{ program: tee, arguments: [{ under: /srv/app }], confine: { write: [/srv/app] } }";
    assert.deepEqual(places(lintRule(rule)), ["7:11 warning writes-files"]);
    const curl =
      "{ program: curl, flags: [{ flag: -o, value: { under: /srv/app } }], arguments: ['https://example.com/'] }";
    assert.deepEqual(places(lintRule(curl)), []);
    assert.deepEqual(places(lint(withRules([curl], "available"))), ["7:46 note writes-files"]);
    const root = "{ program: cp, runAs: root, arguments: [/srv/a, { under: /srv/app }] }";
    assert.deepEqual(places(lintRule(root)), ["7:11 danger writes-files", "7:24 danger run-as"]);
  });

  it("is stricter where the kernel holds less", () => {
    const less = (more: string) => `{ program: less, arguments: [{ under: /var/log }]${more} }`;
    const severity = (text: string) => lint(text).find(({ code }) => code === "starts-programs")?.severity;
    assert.equal(severity(withRules([less("")])), "note");
    assert.equal(severity(withRules([less("")], "available")), "warning");
    assert.equal(severity(withRules([less(", runAs: root")])), "danger");
    assert.equal(severity(withRules([less(", confine: { read: any }")])), "danger");
    assert.equal(severity(withRules([less(", confine: { execute: [/bin/sh] }")])), "danger");
    // sudo(8) does not pass LESSSECURE on.
    assert.equal(severity(withRules([less(', runAs: root, environment: { LESSSECURE: "1" }')])), "danger");
  });

  it("says where `available` leaves it to the list alone", () => {
    const found = lint(withRules(["{ program: vim, arguments: [{ under: /srv/app }] }"], "available"));
    assert.deepEqual(
      places(found).filter((place) => place.includes("confinement")),
      ["8:7 warning confinement-available"],
    );
    const quiet = lint(withRules(["{ program: tail, arguments: [{ under: /var/log }] }"], "available"));
    assert.deepEqual(places(quiet), []);
  });
});
