import assert from "node:assert/strict";
import { listAuditEvents } from "@sallyport/control-plane/database/audit-events.ts";
import { findEngagement, listEngagements } from "@sallyport/control-plane/database/engagements.ts";
import { listMembers } from "@sallyport/control-plane/database/members.ts";
import { applyPolicy, hasChanges } from "@sallyport/control-plane/policy/apply-policy.ts";
import { endEngagement } from "@sallyport/control-plane/policy/end-engagement.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { makeWorld, policyText, type World } from "./support/world.ts";

describe("policy file", () => {
  let world: World;
  beforeEach(async () => {
    world = await makeWorld();
  });
  afterEach(() => world.db.destroy());
  const apply = (text: string) => applyPolicy(world.db, world.environment, { text, file: "policy.yaml" });

  it("adds members and engagements", async () => {
    assert.deepEqual(await apply(policyText()), {
      members: { added: ["dana@vendor.test"], changed: [], unchanged: 0 },
      engagements: { added: ["web-work"], changed: [], unchanged: 0, ended: [] },
    });
    const [dana] = await listMembers(world.db);
    assert.deepEqual(
      [dana?.name, dana?.email, dana?.vendor, dana?.identities],
      ["Dana Doe", "dana@vendor.test", "vendor", []],
    );
    const engagement = await findEngagement(world.db, "web-work");
    assert.deepEqual(engagement?.members, [dana?.id]);
    assert.equal(engagement?.start, Date.parse("2026-01-01T08:00:00Z") / 1000);
    assert.equal(engagement?.end, Date.parse("2090-01-01T00:00:00Z") / 1000);
    assert.deepEqual(engagement?.mfa, { level: "mfa", maxAge: null });
  });

  it("changes nothing the second time", async () => {
    await apply(policyText());
    const before = [
      await listMembers(world.db),
      await listEngagements(world.db),
      await listAuditEvents(world.db, 10),
    ];
    assert.deepEqual(await apply(policyText()), {
      members: { added: [], changed: [], unchanged: 1 },
      engagements: { added: [], changed: [], unchanged: 1, ended: [] },
    });
    assert.deepEqual(
      [await listMembers(world.db), await listEngagements(world.db), await listAuditEvents(world.db, 10)],
      before,
    );
  });

  it("keeps commands and files, with the rules of the sets that are used", async () => {
    const text = policyText(
      `    mode: commands
    commands: { rules: [{ program: uptime }], use: [logs] }
    files: { directories: [{ path: /srv, access: read-write }] }
commandSets:
  logs: [{ program: tail, flags: [-f], arguments: [{ under: /var/log }], timeLimit: 60 }]
`,
    );
    await apply(text);
    const engagement = await findEngagement(world.db, "web-work");
    assert.deepEqual(
      [engagement?.mode, engagement?.commands?.rules.map(({ program }) => program), engagement?.files],
      [
        "commands",
        ["uptime", "tail"],
        { protocols: ["sftp"], directories: [{ path: "/srv", access: "read-write", maxFileSize: null }] },
      ],
    );
    assert.equal((await apply(text)).engagements.unchanged, 1);
    const { engagements } = await apply(text.replace("timeLimit: 60", "timeLimit: 30"));
    assert.deepEqual(
      engagements.changed[0]?.changes.map(({ field }) => field),
      ["commands.rules"],
    );
    await assert.rejects(
      apply(text.replace("use: [logs]", "use: [log]")),
      (error) => isSallyportError(error) && /^policy.yaml:14:53: .*there is no set log /.test(error.message),
    );
  });

  it("changes what differs, keeps ids, and deletes nothing", async () => {
    await apply(policyText());
    const first = await findEngagement(world.db, "web-work");
    const changed = policyText().replace("[deploy]", "[deploy, app]").replace("Dana Doe", "Dana Dough");
    const { members, engagements } = await apply(changed);
    assert.deepEqual(members.changed, [
      { name: "dana@vendor.test", changes: [{ field: "name", before: "Dana Doe", after: "Dana Dough" }] },
    ]);
    assert.deepEqual(engagements.changed, [
      {
        name: "web-work",
        version: 2,
        changes: [{ field: "accounts", before: ["deploy"], after: ["deploy", "app"] }],
        needsApproval: false,
      },
    ]);
    const second = await findEngagement(world.db, "web-work");
    assert.equal(second?.id, first?.id);
    assert.deepEqual(second?.accounts, ["deploy", "app"]);
    assert.equal(hasChanges(await apply("version: 1\n")), false);
    assert.equal((await listEngagements(world.db)).length, 1);
  });

  it("leaves an engagement ended that was ended early", async () => {
    await apply(policyText());
    await endEngagement(world, { nameOrId: "web-work", by: "sec", reason: "done" });
    const { engagements } = await apply(policyText().replace("2090", "2091"));
    assert.deepEqual([engagements.ended, engagements.changed], [["web-work"], []]);
    const engagement = await findEngagement(world.db, "web-work");
    assert.equal(engagement?.end, Date.parse("2090-01-01T00:00:00Z") / 1000);
    assert.deepEqual(engagement?.ended, { at: world.time.now, by: "sec", reason: "done" });
  });

  it("refuses what cannot change, at its line", async () => {
    await apply(policyText());
    const refused = (text: string, expected: RegExp) =>
      assert.rejects(
        apply(text),
        (error) => isSallyportError(error, "config-invalid") && expected.test(error.message),
      );
    await refused(
      policyText().replace("2090-01-01", "2026-06-01"),
      /^policy\.yaml:11:5: .*cannot be moved to .*past/,
    );
    await refused(
      policyText().replaceAll("vendor: vendor", "vendor: other"),
      /^policy\.yaml:6:5: .*one of the vendor vendor, and stays so/,
    );
    const moved = policyText().replace("vendor: vendor }", "vendor: other }");
    await refused(
      moved.slice(0, moved.indexOf("engagements:")),
      /^policy\.yaml:3:48: .*take them out there first/,
    );
  });

  it("leaves an end alone that was past before", async () => {
    const over = policyText().replace("2090-01-01", "2026-06-01");
    await apply(over);
    assert.equal(hasChanges(await apply(over)), false);
    assert.equal((await apply(over.replace("2026-06-01", "2026-05-01"))).engagements.changed.length, 1);
  });

  it("tells what would change without changing it", async () => {
    const dryRun = { text: policyText(), file: "policy.yaml", dryRun: true };
    const would = await applyPolicy(world.db, world.environment, dryRun);
    assert.deepEqual(would.engagements.added, ["web-work"]);
    assert.deepEqual([await listMembers(world.db), await listAuditEvents(world.db, 10)], [[], []]);
    assert.deepEqual(await apply(policyText()), would);
  });

  it("is refused with all that nesting and aliases can do to a reader", async () => {
    const bomb = Array.from(
      { length: 9 },
      (_, n) => `a${n}: &a${n} [${"*a".concat(String(n - 1), ",").repeat(n === 0 ? 0 : 9)}]`,
    );
    for (const text of [bomb.join("\n"), "[".repeat(20_000), `version: 1\n${"k: 1\n".repeat(50)}`])
      await assert.rejects(apply(text), (error) => isSallyportError(error, "config-invalid"));
    const many = Array.from({ length: 5000 }, (_, n) => `k${n}: 1`).join("\n");
    await assert.rejects(
      apply(`version: 1\n${many}\n`),
      (error) => isSallyportError(error, "config-invalid") && error.message.split("\n").length <= 21,
    );
  });

  const mistakes: [name: string, text: string, expected: RegExp][] = [
    [
      "an unknown key",
      policyText("    acounts: [x]\n"),
      /^policy\.yaml:13:5: unknown key "engagements\.0\.acounts"; did you mean "accounts"\?$/,
    ],
    [
      "an unknown member",
      policyText().replace("members: [dana@", "members: [dona@"),
      /^policy\.yaml:7:15: dona@vendor\.test is no member/,
    ],
    [
      "a member of another vendor",
      policyText().replace("vendor: vendor }", "vendor: other }"),
      /^policy\.yaml:7:15: .*of vendor other/,
    ],
    [
      "an end before the start",
      policyText().replace("2090-01-01", "2020-01-01"),
      /^policy\.yaml:11:5: .*after the start/,
    ],
    [
      "a time that is none",
      policyText().replace("2090-01-01", "soon"),
      /^policy\.yaml:11:5: .*a time is like/,
    ],
    [
      "no host at all",
      policyText().replace("{ names: [web-1] }", "{}"),
      /^policy\.yaml:8:5: .*at least one host or label/,
    ],
    [
      "a bad account name",
      policyText().replace("[deploy]", "[deploy, Root!]"),
      /^policy\.yaml:9:24: .*account name/,
    ],
    [
      "a time zone that is none",
      policyText("    hours: { timeZone: Mars/X, windows: [{ days: [mon], from: '09:00', to: '17:00' }] }\n"),
      /^policy\.yaml:13:14: .*IANA/,
    ],
  ];
  for (const [name, text, expected] of mistakes) {
    it(`points at ${name}, and applies nothing`, async () => {
      const added = text.replace(
        "engagements:",
        "  - { name: New, email: new@vendor.test, vendor: vendor }\nengagements:",
      );
      const line = (match: RegExp) =>
        new RegExp(match.source.replace(/(yaml:)(\d+)/, (_, head, number) => `${head}${Number(number) + 1}`));
      await assert.rejects(
        apply(added),
        (error) => isSallyportError(error, "config-invalid") && line(expected).test(error.message),
      );
      assert.deepEqual(await listMembers(world.db), []);
    });
  }
});
