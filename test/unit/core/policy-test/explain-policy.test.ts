import assert from "node:assert/strict";
import { PolicyFile } from "@sallyport/core/policy/policy-file.ts";
import { explainLocalPolicy } from "@sallyport/core/policy-test/explain-local-policy.ts";
import { explainPolicy } from "@sallyport/core/policy-test/explain-policy.ts";
import { readYaml } from "@sallyport/core/yaml/read-yaml.ts";
import { example, local } from "./questions.ts";

/** `topic: text` of each sentence of the only engagement. */
function sentences(fields: string): Record<string, string> {
  const text = `version: 1
engagements:
  - name: acme
    vendor: acme
    start: 2026-11-01
    end: 2026-12-01
    contact: dana@example.com
${fields.replace(/^/gm, "    ")}
`;
  const [only] = explainPolicy(readYaml(text, "policy.yaml", PolicyFile).value, { labels: {} });
  return Object.fromEntries((only?.sentences ?? []).map(({ topic, text }) => [topic, text]));
}

describe("explainPolicy", () => {
  it("says the least where the least is granted", () => {
    assert.deepEqual(sentences("hosts: { names: [web-1] }\naccounts: [deploy]"), {
      who: "nobody yet (vendor acme)",
      where: "web-1",
      as: "deploy",
      when: "from 2026-11-01T00:00:00Z until 2026-12-01T00:00:00Z",
      "sign-in": "with a second factor",
      what: "a shell: whatever the account may; recorded",
      ask: "dana@example.com",
    });
  });

  it("says everything that an engagement has", () => {
    const said = sentences(`members: [alice@acme.example]
hosts: { names: [web-1, web-2], labels: { env: test, team: web } }
personal: { groups: [adm] }
privilege: { sudo: listed, commands: [{ program: /usr/bin/id }, { program: /usr/bin/w, arguments: null, runAs: app }] }
forwarding: { local: ["db-1:5432"], agent: true }
limits: { idle: 900, longest: 7200, concurrent: 2 }
mfa: { level: phishing-resistant, maxAge: 43200 }
assurance: brokered
sources: [192.0.2.0/24]
sponsor: sam@example.com
approval: { rule: login, approvers: 2, ticket: true }
hours: { timeZone: Europe/Berlin, windows: [{ days: [mon, tue], from: "08:00", to: "18:00" }] }
mode: files
files: { protocols: [sftp, legacy-scp, rsync], directories: [{ path: "~/in", access: write, maxFileSize: 10 }] }`);
    assert.deepEqual(said, {
      who: "alice@acme.example of acme",
      where: "web-1, web-2; every host with env=test and team=web",
      as: "an account of their own, in the groups adm",
      when: "from 2026-11-01T00:00:00Z until 2026-12-01T00:00:00Z; mon tue 08:00 to 18:00 (Europe/Berlin); from 192.0.2.0/24 only",
      "sign-in":
        "with a phishing-resistant factor, not longer than 12 hours ago; on another device will do (brokered)",
      approval:
        "2 people (sponsor: sam@example.com) must approve each member, for 8 hours at a time; a request names a ticket",
      what: "no commands; files are moved, and each is written down with its digest",
      files: "put into ~/in (files of at most 10 bytes); by SFTP (sftp, scp, sshfs), scp -O, rsync",
      sudo: "/usr/bin/id as root; /usr/bin/w … as app",
      forwarding: "to db-1:5432; ssh-agent",
      limits: "ends after 15 minutes without input; lasts 2 hours at most; 2 at a time on a host",
      ask: "dana@example.com",
    });
  });

  it("lists the rules of sets behind an engagement's own", () => {
    const [, second] = explainPolicy(example("sets.yaml"), { labels: {} });
    assert.deepEqual(
      second?.commands.map(({ usage }) => usage),
      ["sha256sum /srv/exchange/…", "uptime", "df [-h]", "tail [-n 1..1000] /var/log/…"],
    );
  });
});

describe("explainLocalPolicy", () => {
  it("says what is taken away", () => {
    const said = explainLocalPolicy(
      local(`version: 1
deny: { vendors: [initech], members: [x@example.com], engagements: [old] }
accounts: []
hours: { timeZone: UTC, windows: [{ days: [mon], from: "08:00", to: "18:00" }] }
sources: [192.0.2.0/24]
mfa: { level: mfa }
limits: { idle: 900 }
modes: [commands]
forwarding: none
sudo: none
recording: { durability: strict }
files: none
`),
    );
    assert.deepEqual(Object.fromEntries(said.sentences.map(({ topic, text }) => [topic, text])), {
      "kept out": "everybody of initech, x@example.com, engagement old",
      accounts: "none",
      hours: "only mon 08:00 to 18:00 (UTC)",
      from: "only 192.0.2.0/24",
      "sign-in": "at least level mfa",
      limits: "at most idle 900",
      forwarding: "none",
      sudo: "none at most",
      recording: "durability strict",
      modes: "only commands",
      files: "none",
    });
    assert.deepEqual(explainLocalPolicy(local("version: 1\n")).sentences, [
      { topic: "what", text: "nothing is taken away" },
    ]);
  });
});
