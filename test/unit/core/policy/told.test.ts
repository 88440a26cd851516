import assert from "node:assert/strict";
import { mustEnd } from "@sallyport/core/policy/continue.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { BREAKS } from "./breaks.ts";
import { decide, id, MEMBER, makeRevocation, makeScenario, NOW, only, type Scenario } from "./scenario.ts";

const NASTY = "\u001b]0;pwned\u0007\r\n\u009b2J\u202eevil\u2028x\u007f\ud800";
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]/u;

/** Puts hostile text wherever a policy has text, though its schema would refuse most of it. */
function poison(scenario: Scenario): void {
  Object.assign(only(scenario), { name: NASTY, contact: NASTY, accounts: [NASTY] });
  Object.assign(scenario.condition.bundle.host, { name: NASTY });
  Object.assign(only(scenario).hosts, { names: [NASTY] });
  Object.assign(scenario.request, { account: NASTY });
}

function nasty(entry: Revocation): Revocation {
  return { ...entry, by: NASTY, reason: NASTY };
}

describe("what a contractor is told", () => {
  for (const [code, breaks] of BREAKS) {
    it(`has no control characters though every name has: ${code}`, () => {
      const scenario = makeScenario();
      poison(scenario);
      breaks(scenario);
      if (code === "revoked") scenario.condition.revocations.add(nasty(makeRevocation("certificate", "42")));
      if (code === "engagement-ended")
        Object.assign(only(scenario).ended ?? {}, { by: NASTY, reason: NASTY });
      if (code === "outside-hours") Object.assign(only(scenario).hours ?? {}, { timeZone: "UTC" });
      if (code === "source-address") scenario.request.sourceAddress = NASTY;
      const decision = decide(scenario);
      assert.equal(decision.outcome, "refuse");
      assert.equal(decision.refusal.code, code);
      assert.doesNotMatch(decision.refusal.told ?? "", UNSAFE);
    });

    it(`fits into an event, whatever the names: ${code}`, () => {
      const scenario = makeScenario();
      const long = "\ud800".repeat(500);
      Object.assign(only(scenario), { contact: long });
      breaks(scenario);
      if (code === "revoked") {
        scenario.condition.revocations.add({
          ...makeRevocation("certificate", "42"),
          by: long,
          reason: long,
        });
      }
      if (code === "engagement-ended") Object.assign(only(scenario).ended ?? {}, { by: long, reason: long });
      const decision = decide(scenario);
      assert.ok(decision.outcome === "refuse" && (decision.refusal.told ?? "").length <= 2000);
    });
  }

  it("keeps the log's detail to the log", () => {
    const scenario = makeScenario();
    scenario.condition.accountUnsafe = () => ({
      reason: "/home/deploy/.bashrc is read by bash",
      acceptable: true,
    });
    const decision = decide(scenario);
    assert.ok(decision.outcome === "refuse");
    assert.match(decision.refusal.detail, /bashrc/);
    assert.doesNotMatch(decision.refusal.told ?? "", /bashrc/);
  });

  it("says what to type for an approval, and who gives it", () => {
    const told = (approval: object, sponsor: string | null): string => {
      const scenario = makeScenario();
      Object.assign(only(scenario), {
        approval: { granted: [], approved: false, approvers: 1, ticket: false, ...approval },
        sponsor,
      });
      const decision = decide(scenario);
      assert.ok(decision.outcome === "refuse");
      return decision.refusal.told ?? "";
    };
    assert.equal(
      told({ rule: "login" }, "dana@company.example"),
      'Engagement acme-db lets you in only once dana@company.example or an approver has approved it. Ask for it with: sallyport request acme-db --reason "…"',
    );
    assert.equal(
      told({ rule: "activation", approvers: 2, ticket: true }, null),
      'Engagement acme-db lets nobody in before 2 people have approved it (an approver). Ask for it with: sallyport request acme-db --reason "…" --ticket …',
    );
  });

  it("says when it ended: at the earlier of the two ends", () => {
    const scenario = makeScenario();
    const ended = { at: NOW + 3600, by: "sam", reason: "budget" };
    Object.assign(only(scenario), { end: NOW - 60, ended });
    const decision = decide(scenario);
    assert.ok(decision.outcome === "refuse");
    assert.match(decision.refusal.told ?? "", /ended 2026-10-14 09:59 UTC/);
  });

  it("has no control characters when a session ends", () => {
    const scenario = makeScenario();
    poison(scenario);
    const session = {
      ...{ sessionId: id("ses", "1"), memberId: MEMBER, engagementId: only(scenario).id },
      ...{ account: "nobody", certificateSerial: "42", keyFingerprint: "SHA256:key" },
      ...{ issuer: "https://idp.example", subject: "someone", signedInAt: 1000 },
    };
    const { bundle, revocations } = scenario.condition;
    assert.doesNotMatch(mustEnd(session, bundle, revocations, NOW)?.told ?? NASTY, UNSAFE);
    revocations.add(nasty(makeRevocation("session", id("ses", "1"))));
    assert.doesNotMatch(mustEnd(session, bundle, revocations, NOW)?.told ?? NASTY, UNSAFE);
  });
});
