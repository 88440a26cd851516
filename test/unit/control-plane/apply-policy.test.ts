import assert from "node:assert/strict";
import { listAuditEvents } from "@sallyport/control-plane/database/audit-events.ts";
import { findEngagement, listEngagements } from "@sallyport/control-plane/database/engagements.ts";
import { listMembers } from "@sallyport/control-plane/database/members.ts";
import { applyPolicy } from "@sallyport/control-plane/policy/apply-policy.ts";
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
    assert.deepEqual(await apply(policyText()), { members: ["dana@vendor.test"], engagements: ["web-work"] });
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
    assert.deepEqual(await apply(policyText()), { members: [], engagements: [] });
    assert.deepEqual(
      [await listMembers(world.db), await listEngagements(world.db), await listAuditEvents(world.db, 10)],
      before,
    );
  });

  it("changes what differs, keeps ids, and deletes nothing", async () => {
    await apply(policyText());
    const first = await findEngagement(world.db, "web-work");
    const changed = policyText().replace("[deploy]", "[deploy, app]").replace("Dana Doe", "Dana Dough");
    assert.deepEqual(await apply(changed), { members: ["dana@vendor.test"], engagements: ["web-work"] });
    const second = await findEngagement(world.db, "web-work");
    assert.equal(second?.id, first?.id);
    assert.deepEqual(second?.accounts, ["deploy", "app"]);
    assert.deepEqual(await apply("version: 1\n"), { members: [], engagements: [] });
    assert.equal((await listEngagements(world.db)).length, 1);
  });

  it("leaves an engagement ended that was ended early", async () => {
    await apply(policyText());
    await endEngagement(world, { nameOrId: "web-work", by: "sec", reason: "done" });
    await apply(policyText().replace("2090", "2091"));
    const engagement = await findEngagement(world.db, "web-work");
    assert.equal(engagement?.end, Date.parse("2091-01-01T00:00:00Z") / 1000);
    assert.deepEqual(engagement?.ended, { at: world.time.now, by: "sec", reason: "done" });
  });

  const mistakes: [name: string, text: string, expected: RegExp][] = [
    [
      "an unknown key",
      policyText("    acounts: [x]\n"),
      /^policy\.yaml:13:5: unknown key "engagements\.0\.acounts"$/,
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
