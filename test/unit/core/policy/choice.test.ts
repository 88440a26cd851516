import assert from "node:assert/strict";
import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import {
  type Changes,
  codeOf,
  decide,
  id,
  MEMBER,
  makeEngagement,
  makeRevocation,
  makeScenario,
  NOW,
} from "./scenario.ts";

const ended = { end: NOW - 60 };
const elsewhere = { hosts: { names: ["web-1"], labels: {} } };
const otherAccount = { accounts: ["backup"] };
const unapproved = { approval: { rule: "activation", approved: false } };
const strangers = { members: [id("mem", "2")] };
const late = { start: NOW + 60 };
const strict = { mfa: { level: "phishing-resistant", maxAge: null } };

function several(...changes: Changes<Engagement>[]) {
  const digits = "abcdef";
  return changes.map((change, index) =>
    makeEngagement({ id: id("eng", digits.charAt(index)), name: `number-${index}`, ...change }),
  );
}

describe("among several engagements", () => {
  const rows: [what: string, engagements: Changes<Engagement>[], code: string, chosen: number | null][] = [
    ["the first that admits is taken", [{}, {}], "admit", 0],
    ["one that is over is passed by", [ended, {}], "admit", 1],
    ["one without approval is passed by", [unapproved, {}], "admit", 1],
    ["others' are passed by", [strangers, {}], "admit", 1],
    ["others' do not count when mine refuses", [strangers, ended], "engagement-ended", 1],
    ["only others': no member", [strangers, strangers], "not-a-member", null],
    ["the refusal is of the one that got furthest", [ended, unapproved, strict], "approval-missing", 1],
    ["of equals, the first", [ended, ended], "engagement-ended", 0],
    ["the one for this account was meant", [otherAccount, ended], "engagement-ended", 1],
    ["the one for this host was meant", [elsewhere, ended], "engagement-ended", 1],
    [
      "the one for this host and account was meant",
      [elsewhere, otherAccount, late],
      "engagement-not-started",
      2,
    ],
    [
      "right host and wrong account is nearer than wrong host",
      [elsewhere, otherAccount],
      "account-not-granted",
      1,
    ],
  ];
  for (const [what, changes, code, chosen] of rows) {
    it(what, () => {
      const decision = decide(makeScenario(...several(...changes)));
      assert.equal(codeOf(decision), code);
      assert.equal(decision.engagement?.name ?? null, chosen === null ? null : `number-${chosen}`);
    });
  }

  it("a revoked one is passed by", () => {
    const scenario = makeScenario(...several({}, {}));
    scenario.condition.revocations.add(makeRevocation("engagement", id("eng", "a")));
    const decision = decide(scenario);
    assert.equal(codeOf(decision), "admit");
    assert.equal(decision.engagement?.name, "number-1");
  });

  it("a revoked member is refused by all", () => {
    const scenario = makeScenario(...several({}, ended, {}));
    scenario.condition.revocations.add(makeRevocation("member", MEMBER));
    assert.equal(codeOf(decide(scenario)), "revoked");
  });

  it("all revoked: revoked, and a fault of the host comes after", () => {
    const scenario = makeScenario(...several({}, {}));
    for (const digit of "ab")
      scenario.condition.revocations.add(makeRevocation("engagement", id("eng", digit)));
    scenario.condition.recorderReady = false;
    assert.equal(codeOf(decide(scenario)), "revoked");
  });
});
