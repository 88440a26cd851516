import assert from "node:assert/strict";
import { mustEnd } from "@sallyport/core/policy/continue.ts";
import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import { DENY_ALL, LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import { narrow } from "@sallyport/core/policy/narrow.ts";
import { RevocationIndex } from "@sallyport/core/policy/revocation.ts";
import {
  codeOf,
  decide,
  HOUR,
  id,
  MEMBER,
  makeBundle,
  makeEngagement,
  makeScenario,
  NOW,
} from "./scenario.ts";

const policy = (content: object): LocalPolicy => LocalPolicy.parse({ version: 1, ...content });
const everyDay = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const hours = (from: string, to: string) => ({
  timeZone: "UTC",
  windows: [{ days: everyDay, from, to }],
});

describe("a local policy", () => {
  const rows: [what: string, content: object, detail: RegExp | null, ends: boolean][] = [
    ["that says nothing", {}, null, false],
    ["against the vendor", { deny: { vendors: ["acme"] } }, /^deny$/, true],
    ["against another vendor", { deny: { vendors: ["other"] } }, null, false],
    ["against the engagement", { deny: { engagements: ["acme-db"] } }, /^deny$/, true],
    ["against the member by id", { deny: { members: [MEMBER] } }, /^deny$/, true],
    ["against the member by e-mail", { deny: { members: ["Alice@acme.example"] } }, /^deny$/, true],
    ["against somebody else", { deny: { members: ["bob@acme.example"] } }, null, false],
    ["against everybody", { deny: { all: true } }, /^deny$/, true],
    ["that leaves the account", { accounts: ["deploy"] }, null, false],
    ["that leaves another account", { accounts: ["postgres"] }, /^accounts: not deploy/, true],
    ["that leaves no account", { accounts: [] }, /^accounts/, true],
    ["with hours that hold", { hours: hours("09:00", "11:00") }, null, false],
    ["with hours that are over", { hours: hours("09:00", "10:00") }, /^hours/, true],
    ["with the network", { sources: ["192.0.2.0/24"] }, null, false],
    ["with another network", { sources: ["198.51.100.0/24"] }, /^sources: from 192\.0\.2\.7/, false],
    ["with the same MFA", { mfa: { level: "mfa" } }, null, false],
    ["with less MFA than the engagement's", { mfa: { level: "none" } }, null, false],
    ["with stronger MFA", { mfa: { level: "phishing-resistant" } }, /^mfa: level mfa/, false],
    ["with fresher MFA", { mfa: { maxAge: 60 } }, null, false],
    ["with limits", { limits: { idle: 60 } }, null, false],
  ];
  for (const [what, content, detail, ends] of rows) {
    it(`${what} ${detail === null ? "lets a login be" : "refuses it, and says so without saying what is in it"}`, () => {
      const scenario = makeScenario();
      const [member] = scenario.condition.bundle.members;
      Object.assign(member ?? {}, { email: "alice@ACME.example" });
      scenario.condition.local = [policy({}), policy(content)];
      const decision = decide(scenario);
      if (detail === null) return assert.equal(decision.outcome, "admit");
      assert.ok(decision.outcome === "refuse");
      assert.equal(decision.refusal.code, "local-policy");
      assert.match(decision.refusal.detail, detail);
      assert.match(
        decision.refusal.told ?? "",
        /^The host's own policy does not allow .*acme-db.*administrators\.$/,
      );
      assert.doesNotMatch(decision.refusal.told ?? "", /postgres|198\.51|09:00|phishing/);
    });

    it(`${what} ${ends ? "ends" : "does not end"} a session that runs`, () => {
      const bundle = makeBundle();
      Object.assign(bundle.members[0] ?? {}, { email: "alice@acme.example" });
      const { id: engagementId } = makeEngagement();
      const session = {
        ...{ sessionId: id("ses", "1"), memberId: MEMBER, engagementId, account: "deploy" },
        ...{ certificateSerial: "42", keyFingerprint: "SHA256:key" },
        ...{ issuer: "https://idp.example", subject: "someone", signedInAt: 1000 },
      };
      const end = mustEnd(session, bundle, new RevocationIndex(), NOW, [policy(content)]);
      assert.equal(end?.reason, ends ? "engagement-ended" : undefined);
    });
  }

  it("does not hide a reason of the engagement's own", () => {
    const scenario = makeScenario(makeEngagement({ end: NOW - HOUR }));
    scenario.condition.local = [DENY_ALL];
    assert.equal(codeOf(decide(scenario)), "engagement-ended");
  });

  it("that closes one engagement leaves another one of the same member open", () => {
    const scenario = makeScenario(makeEngagement(), makeEngagement({ id: id("eng", "2"), name: "acme-web" }));
    scenario.condition.local = [policy({ deny: { engagements: ["acme-db"] } })];
    const decision = decide(scenario);
    assert.equal(decision.outcome, "admit");
    assert.equal(decision.engagement?.name, "acme-web");
  });

  it("is asked with its own limit of sessions", () => {
    const scenario = makeScenario();
    scenario.condition.sessionsOf = () => 1;
    scenario.condition.local = [policy({ limits: { concurrent: 1 } })];
    assert.equal(codeOf(decide(scenario)), "too-many-sessions");
  });

  for (const [what, content] of [
    ["would widen: recording off", { recording: { input: false } }],
    ["would widen: less durability", { recording: { durability: "normal" } }],
    ["would widen: unsafe shells", { acceptUnsafeShell: true }],
    ["would widen: deny nobody", { deny: { all: false } }],
    ["has an unknown key", { allow: { members: [MEMBER] } }],
    ["has an unknown key inside", { deny: { member: [MEMBER] } }],
    ["means no network at all", { sources: [] }],
    ["has no version", { version: undefined }],
  ] as const) {
    it(`is refused when it ${what}`, () => {
      assert.equal(LocalPolicy.safeParse({ version: 1, ...content }).success, false);
    });
  }
});

describe("what local policies leave of an engagement", () => {
  const granting: Partial<Engagement> = {
    privilege: { sudo: "full" },
    forwarding: {
      local: ["db:*", "web:443"],
      remote: ["8080", "localhost:9090"],
      agent: true,
      x11: true,
    } as unknown as Engagement["forwarding"],
    limits: { idle: 600, longest: null, concurrent: 5 },
    recording: { input: false, durability: "normal" },
    acceptUnsafeShell: true,
  };
  const left = (...contents: object[]) =>
    narrow(makeEngagement(granting), contents.map(policy), makeBundle().members);

  it("is all of it where there are none", () => {
    assert.deepEqual(left(), makeEngagement(granting));
    assert.deepEqual(left({}), left());
  });

  it("are the forwards that both allow", () => {
    const forwarding = { local: ["db:5432", "web:*", "other:1"], remote: ["localhost:8080", "9090"] };
    assert.deepEqual(left({ forwarding }).forwarding, {
      local: ["db:5432", "web:443"],
      remote: ["localhost:8080", "localhost:9090"],
      agent: false,
      x11: false,
    });
    assert.deepEqual(left({ forwarding: "none" }).forwarding, {
      local: [],
      remote: [],
      agent: false,
      x11: false,
    });
  });

  it("are the lower limits, over all files", () => {
    assert.deepEqual(left({ limits: { idle: 900, longest: 3600 } }, { limits: { concurrent: 2 } }).limits, {
      idle: 600,
      longest: 3600,
      concurrent: 2,
    });
  });

  it("is the stricter recording", () => {
    assert.deepEqual(
      left({ recording: { input: true } }, { recording: { durability: "strict" } }).recording,
      {
        input: true,
        durability: "strict",
      },
    );
  });

  it("is the lower privilege; a bound is never a grant", () => {
    assert.deepEqual(left({ sudo: "listed" }).privilege, { sudo: "none" });
    assert.deepEqual(left({ sudo: "full" }).privilege, { sudo: "full" });
    const nothing = narrow(makeEngagement(), [policy({ sudo: "full" })], []);
    assert.deepEqual(nothing.privilege, { sudo: "none" });
  });

  it("takes members out who are denied", () => {
    assert.deepEqual(left({ deny: { members: [MEMBER] } }).members, []);
  });
});
