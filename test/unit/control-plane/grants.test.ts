import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { findEngagement, saveEngagement } from "@sallyport/control-plane/database/engagements.ts";
import type { Host } from "@sallyport/control-plane/database/hosts.ts";
import { listMembers } from "@sallyport/control-plane/database/members.ts";
import { MIGRATIONS } from "@sallyport/control-plane/database/migrations/index.ts";
import { openDatabase } from "@sallyport/control-plane/database/open-database.ts";
import { permits } from "@sallyport/control-plane/issuance/permits.ts";
import { reachableHosts } from "@sallyport/control-plane/people/describe-me.ts";
import { defaultAccountName } from "@sallyport/control-plane/policy/account-name.ts";
import { applyPolicy, hasChanges } from "@sallyport/control-plane/policy/apply-policy.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import type { Engagement, Member } from "@sallyport/core/policy/engagement.ts";
import { makeWorld, policyText, type World } from "./support/world.ts";

const GRANTS = `    personal: { groups: [adm], home: delete }
    privilege: { sudo: listed, commands: [{ program: /usr/bin/systemctl, arguments: [restart, app] }] }
    forwarding: { local: ["db-1:5432"], agent: true }
    limits: { idle: 600, concurrent: 2 }
    recording: { durability: strict }
    acceptUnsafeShell: true
`;

describe("grants in the policy file", () => {
  let world: World;
  beforeEach(async () => {
    world = await makeWorld();
  });
  afterEach(() => world.db.destroy());
  const apply = (text: string) => applyPolicy(world.db, world.environment, { text, file: "policy.yaml" });
  const refused = (text: string, expected: RegExp) =>
    assert.rejects(
      apply(text),
      (error) => isSallyportError(error, "config-invalid") && expected.test(error.message),
    );

  it("are all off by default", async () => {
    await apply(policyText());
    const engagement = await findEngagement(world.db, "web-work");
    assert.deepEqual(
      [engagement?.personal, engagement?.privilege, engagement?.forwarding, engagement?.acceptUnsafeShell],
      [null, { sudo: "none" }, { local: [], remote: [], agent: false, x11: false }, false],
    );
    assert.deepEqual(engagement?.recording, { input: true, durability: "normal" });
  });

  it("are stored and read back, and the same text changes nothing", async () => {
    await apply(policyText(GRANTS));
    const engagement = await findEngagement(world.db, "web-work");
    assert.deepEqual(engagement?.personal, { groups: ["adm"], home: "delete" });
    assert.deepEqual(engagement?.privilege, {
      sudo: "listed",
      commands: [{ program: "/usr/bin/systemctl", arguments: ["restart", "app"], runAs: "root" }],
    });
    assert.deepEqual(engagement?.limits, { idle: 600, longest: null, concurrent: 2 });
    assert.deepEqual(engagement?.recording, { input: true, durability: "strict" });
    assert.equal(engagement?.acceptUnsafeShell, true);
    assert.equal(hasChanges(await apply(policyText(GRANTS))), false);
  });

  it("need an account of some kind, and a personal one for sudo", async () => {
    const without = policyText().replace("[deploy]", "[]");
    await refused(without, /policy\.yaml:9:5: .*name at least one account/);
    await apply(without.replace("accounts: []", "personal: {}"));
    await refused(
      policyText("    privilege: { sudo: full }\n"),
      /policy\.yaml:13:5: .*only personal accounts/,
    );
  });

  it("refuse a sudo program that is not absolute or has a wildcard", async () => {
    for (const program of ["systemctl", "/usr/bin/*", "/usr/bin/a b", "/usr/bin/a,b"]) {
      const command = `{ sudo: listed, commands: [{ program: "${program}" }] }`;
      await refused(policyText(`    personal: {}\n    privilege: ${command}\n`), /absolute path/);
    }
  });

  describe("accounts of members", () => {
    const named = (account: string) =>
      policyText().replace("vendor: vendor }", `vendor: vendor, account: ${account} }`);
    const second = (account: string) =>
      named("dana").replace(
        "engagements:",
        `  - { name: Eve, email: eve@vendor.test, vendor: vendor, account: ${account} }\nengagements:`,
      );

    it("are named after e-mail and vendor, and then stay", async () => {
      await apply(policyText());
      assert.equal((await listMembers(world.db))[0]?.account, "dana-vendor");
      await apply(
        policyText().replace("vendor: vendor }", "vendor: other }").replace("members: [dana", "#["),
      );
      const [dana] = await listMembers(world.db);
      assert.deepEqual([dana?.vendor, dana?.account], ["other", "dana-vendor"]);
    });

    it("are what the file says, when it says", async () => {
      await apply(named("dd"));
      assert.equal((await listMembers(world.db))[0]?.account, "dd");
      await apply(policyText());
      assert.equal((await listMembers(world.db))[0]?.account, "dd");
    });

    it("may be swapped", async () => {
      await apply(second("eve"));
      await apply(
        second("eve")
          .replace("account: eve", "account: x")
          .replace("dana }", "eve }")
          .replace("x }", "dana }"),
      );
      const accounts = (await listMembers(world.db)).map(({ email, account }) => [email, account]);
      assert.deepEqual(Object.fromEntries(accounts), {
        "dana@vendor.test": "eve",
        "eve@vendor.test": "dana",
      });
    });

    it("are nobody else's, and not shared", async () => {
      await refused(second("dana"), /policy\.yaml:4:\d+: .*dana is listed twice/);
      await refused(named("deploy"), /policy\.yaml:3:\d+: deploy is an account that members share/);
      await apply(policyText());
      await refused(
        policyText().replace("[deploy]", "[deploy, dana-vendor]"),
        /policy\.yaml:9:24: dana-vendor is the own account of dana@vendor\.test/,
      );
    });
  });
});

describe("default account name", () => {
  const member = (email: string, vendor = "acme") => ({ name: "N", email, vendor }) as Member;
  const rows: [email: string, vendor: string, taken: string[], expected: string][] = [
    ["dana.doe@vendor.test", "acme", [], "dana-doe-acme"],
    ["Dána+x@vendor.test", "acme", [], "dana-x-acme"],
    ["007@vendor.test", "acme", [], "acme"],
    ["-rf@vendor.test", "acme", [], "rf-acme"],
    ["dana@vendor.test", "acme", ["dana-acme", "dana-acme-2"], "dana-acme-3"],
    ["a".repeat(40), "acme", [], "a".repeat(32)],
    ["a".repeat(40), "acme", ["a".repeat(32)], `${"a".repeat(30)}-2`],
    ["1", "1", [], "member"],
  ];
  for (const [email, vendor, taken, expected] of rows) {
    it(`of ${email} at ${vendor} is ${expected}`, () => {
      assert.equal(
        defaultAccountName(member(email, vendor), (name) => taken.includes(name)),
        expected,
      );
    });
  }
});

describe("permits of a certificate", () => {
  const none = { local: [], remote: [], agent: false, x11: false };
  const engagement = (forwarding: object, end = 100) =>
    ({ start: 0, end, ended: null, forwarding: { ...none, ...forwarding } }) as unknown as Engagement;

  it("are a terminal only, unless an engagement that runs grants more", () => {
    assert.deepEqual(permits([], 50), ["permit-pty"]);
    assert.deepEqual(permits([engagement({})], 50), ["permit-pty"]);
    const all = { local: ["db:1"], agent: true, x11: true };
    assert.deepEqual(permits([engagement(all, 50)], 50), ["permit-pty"]);
    assert.deepEqual(permits([engagement({}), engagement({ remote: ["80"] })], 50), [
      "permit-pty",
      "permit-port-forwarding",
    ]);
    assert.deepEqual(permits([engagement(all)], 50), [
      "permit-pty",
      "permit-port-forwarding",
      "permit-agent-forwarding",
      "permit-X11-forwarding",
    ]);
  });
});

describe("accounts to log in to", () => {
  const member = { id: "m", account: "dana" } as unknown as Member;
  const host = { name: "web-1", address: "a", port: 22, labels: {} } as unknown as Host;
  const engagement = (accounts: string[], personal: boolean, end = 100) =>
    ({
      ...{ accounts, start: 0, end, ended: null, hosts: { names: ["web-1"], labels: {} } },
      personal: personal ? { groups: [], home: "archive" } : null,
    }) as unknown as Engagement;
  const accounts = (...engagements: Engagement[]) =>
    reachableHosts(member, engagements, [host], 50)[0]?.accounts;

  it("begin with the member's own", () => {
    assert.deepEqual(accounts(engagement(["app"], false), engagement(["deploy"], true)), [
      "dana",
      "app",
      "deploy",
    ]);
    assert.deepEqual(accounts(engagement(["app"], false)), ["app"]);
  });

  it("put what is over behind what runs", () => {
    assert.deepEqual(accounts(engagement([], true, 40), engagement(["app"], false)), ["app", "dana"]);
  });
});

describe("a database of the first version", () => {
  it("is upgraded with what is in it", async () => {
    const directory = mkdtempSync(join(tmpdir(), "sallyport-"));
    const file = join(directory, "db");
    const initial = MIGRATIONS["0001-initial"];
    assert(initial !== undefined);
    await (await openDatabase(file, { "0001-initial": initial })).destroy();
    const old = new DatabaseSync(file);
    old.exec(`insert into engagements (id, name, vendor, hosts_json, accounts_json, mode, mfa_json, sources_json,
      approval_json, contact, starts_at, ends_at) values ('eng_00000000000000000000000000', 'old', 'v', '{"names":["a"]}',
      '["app"]', 'shell', '{"level":"mfa","maxAge":null}', '[]', '{"rule":"none","approved":false}', 'c', 1, 2)`);
    old.exec(
      "insert into members (id, name, vendor, created_at) values ('mem_00000000000000000000000000', 'Dana', 'v', 1)",
    );
    old.close();

    const db = await openDatabase(file);
    const engagement = await findEngagement(db, "old");
    assert.deepEqual([engagement?.personal, engagement?.privilege], [null, { sudo: "none" }]);
    assert.equal((await listMembers(db))[0]?.account, null);
    assert(engagement !== undefined);
    await saveEngagement(db, engagement);
    await db.destroy();
    rmSync(directory, { recursive: true });
  });
});
