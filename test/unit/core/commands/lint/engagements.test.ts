import assert from "node:assert/strict";
import { lint, places } from "./linted.ts";

const HEAD = `version: 1
engagements:
`;

/** An engagement of at least seven lines; its name is on the first of them, in column 5. */
function engagement(name: string, more: string, start = "2026-11-01", end = "2026-12-01"): string {
  return `  - name: ${name}
    vendor: acme
    members: [alice@acme.example]
    contact: dana@example.com
    start: ${start}
    end: ${end}
    ${more}
`;
}

const FILES = (directories: string) =>
  `${HEAD}  - name: acme-files
    vendor: acme
    hosts: { names: [web-1] }
    accounts: [deploy]
    start: 2026-11-01
    end: 2026-12-01
    contact: dana@example.com
    mode: files
    files:
      directories:
${directories}`;

describe("the linter on files", () => {
  const rows: [string, string[], RegExp][] = [
    ['{ path: "~", access: read-write }', ["13:13 danger files-startup-files"], /authorized_keys/],
    ['{ path: "~/.ssh", access: write }', ["13:13 danger files-startup-files"], /past Sallyport/],
    ['{ path: "~/.config/systemd", access: write }', ["13:13 danger files-startup-files"], /obey/],
    ['{ path: "~/exchange", access: read-write }', [], /^$/],
    ["{ path: /home/deploy/bin, access: write }", ["13:13 danger files-startup-files"], /execute them/],
    ["{ path: /, access: write }", ["13:13 danger files-wide"], /everything/],
    ["{ path: /, access: read }", [], /^$/],
    ["{ path: /etc/nginx, access: write }", ["13:13 danger files-wide"], /obey/],
    ["{ path: /srv/exchange, access: read-write }", [], /^$/],
  ];
  for (const [directory, expected, says] of rows) {
    it(directory, () => {
      const found = lint(FILES(`        - ${directory}\n`));
      assert.deepEqual(places(found), expected);
      assert.match(found.map(({ message }) => message).join("\n"), says);
    });
  }

  it("looks for the programs of the rules", () => {
    const text = `${FILES("        - { path: /srv/app, access: write }\n").replace("mode: files", "mode: commands")}    commands:
      rules: [{ program: /srv/app/bin/deploy }]
`;
    assert.deepEqual(places(lint(text)), ["13:13 danger files-programs"]);
  });
});

describe("the linter on sudo", () => {
  const withSudo = (privilege: string) =>
    `${HEAD}${engagement("acme", `hosts: { names: [web-1] }\n    personal: {}\n    privilege: ${privilege}`)}`;

  it("tells what is as good as a shell of root", () => {
    const listed = (command: string) => places(lint(withSudo(`{ sudo: listed, commands: [${command}] }`)));
    assert.deepEqual(places(lint(withSudo("{ sudo: full }"))), ["11:18 note sudo"]);
    assert.deepEqual(listed("{ program: /usr/bin/vim, arguments: [/etc/hosts] }"), ["11:45 danger sudo"]);
    assert.deepEqual(listed("{ program: /usr/bin/id, arguments: null }"), ["11:67 warning sudo"]);
    assert.deepEqual(listed("{ program: /usr/bin/tar, arguments: null }"), ["11:68 danger sudo"]);
    assert.deepEqual(listed("{ program: /usr/bin/id }"), []);
  });
});

describe("the linter on engagements that overlap", () => {
  const hosts = "hosts: { names: [web-1] }\n    accounts: [deploy]";
  const two = (first: string, second: string, ...times: string[]) =>
    lint(`${HEAD}${engagement("acme-one", first)}${engagement("acme-two", second, ...times)}`);

  it("says which of two decides", () => {
    const found = two(hosts, `${hosts}\n    mode: files\n    files: { directories: [{ path: /srv/app }] }`);
    assert.deepEqual(places(found), ["11:5 warning overlap"]);
    assert.match(
      found[0]?.message ?? "",
      /^acme-two and acme-one \(of modes files and shell\) can both admit alice@acme\.example to the same host as deploy\. The one with the lower id/,
    );
  });

  it("takes two that grant the same less seriously", () => {
    assert.deepEqual(places(two(hosts, hosts)), ["11:5 note overlap"]);
  });

  it("compares times, hosts, labels and accounts", () => {
    const labels = (text: string) => `hosts: { labels: { ${text} } }\n    accounts: [deploy]`;
    assert.deepEqual(two(hosts, hosts, "2026-12-01", "2027-01-01"), []);
    assert.deepEqual(two(hosts, hosts.replace("web-1", "web-2")), []);
    assert.deepEqual(two(hosts, hosts.replace("deploy", "app")), []);
    assert.deepEqual(two(labels("env: production"), labels("env: test")), []);
    assert.deepEqual(places(two(labels("env: production"), labels("team: web"))), ["11:5 note overlap"]);
    const personal = "hosts: { names: [web-1] }\n    personal: {}";
    assert.match(two(personal, personal)[0]?.message ?? "", /as their own/);
  });

  it("stays readable and quick where many overlap", () => {
    const many = Array.from({ length: 300 }, (_, index) => engagement(`acme-${index}`, hosts)).join("");
    const found = lint(`${HEAD}${many}`);
    assert.equal(found.length, 50);
    assert.match(found.at(-1)?.message ?? "", /There are more\.$/);
    const apart = Array.from({ length: 500 }, (_, index) =>
      engagement(`acme-${index}`, hosts.replace("web-1", `web-${index}`)),
    ).join("");
    assert.deepEqual(places(lint(`${HEAD}${apart}`)), ["3579:5 warning overlap"]);
  });
});
