import assert from "node:assert/strict";
import { endsAt, mustEnd } from "@sallyport/core/policy/continue.ts";
import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import { RevocationIndex } from "@sallyport/core/policy/revocation.ts";
import {
  type Changes,
  HOUR,
  id,
  MEMBER,
  makeBundle,
  makeEngagement,
  makeRevocation,
  NOW,
} from "./scenario.ts";

const session = {
  sessionId: id("ses", "1"),
  memberId: MEMBER,
  engagementId: makeEngagement().id,
  account: "deploy",
  certificateSerial: "42",
  issuer: "https://idp.example",
  subject: "someone",
  signedInAt: 1000,
  keyFingerprint: "SHA256:key",
};
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const hours = (from: string, to: string, days = DAYS) => ({ timeZone: "UTC", windows: [{ days, from, to }] });

const login = (member?: string, until = 0) => ({
  rule: "login",
  approved: false,
  granted: member === undefined ? [] : [{ member, until }],
});

describe("a running session", () => {
  const rows: [what: string, change: Changes<Engagement>, detail: RegExp | null][] = [
    ["goes on when nothing has changed", {}, null],
    ["goes on in the last second", { end: NOW + 1 }, null],
    ["ends with its engagement", { end: NOW }, /^ended at/],
    [
      "ends when its engagement is ended early",
      { ended: { at: NOW, by: "sam", reason: "" } },
      /^ended early by sam/,
    ],
    ["goes on until an early end that is to come", { ended: { at: NOW + 1, by: "sam", reason: "" } }, null],
    ["ends when its engagement is put off", { start: NOW + 60 }, /^starts at/],
    ["goes on within the weekly hours", { hours: hours("09:00", "10:01") }, null],
    ["ends when the weekly hours close", { hours: hours("09:00", "10:00") }, /weekly hours/],
    ["goes on where the hours never close", { hours: hours("00:00", "24:00") }, null],
    ["ends when its member is taken out", { members: [] }, /member/],
    ["ends when its account is taken out", { accounts: ["postgres"] }, /account/],
    ["ends when its host is taken out", { hosts: { names: ["db-2"], labels: {} } }, /host/],
    ["ends when approval is withdrawn", { approval: { rule: "activation", approved: false } }, /withdrawn/],
    ["goes on when it is approved", { approval: { rule: "activation", approved: true } }, null],
    ["goes on while its login approval lasts", { approval: login(MEMBER, NOW + 1) }, null],
    ["goes on when its login approval has run out", { approval: login(MEMBER, NOW - HOUR) }, null],
    ["ends when its login approval is withdrawn", { approval: login() }, /withdrawn/],
    [
      "ends when only another's approval is left",
      { approval: login(id("mem", "2"), NOW + HOUR) },
      /withdrawn/,
    ],
    [
      "ends when the rule becomes one that nobody has met",
      { approval: { ...login(MEMBER, NOW + HOUR), rule: "activation" } },
      /withdrawn/,
    ],
    ["goes on when MFA rules are tightened", { mfa: { level: "phishing-resistant", maxAge: 60 } }, null],
    ["goes on when sources are narrowed", { sources: ["198.51.100.1"] }, null],
  ];
  for (const [what, change, detail] of rows) {
    it(what, () => {
      const end = mustEnd(session, makeBundle(makeEngagement(change)), new RevocationIndex(), NOW);
      if (detail === null) assert.equal(end, null);
      else {
        assert.equal(end?.reason, "engagement-ended");
        assert.match(end.detail, detail);
        assert.match(end.told, /^[A-Z].{10,}/);
      }
    });
  }

  it("ends when its engagement is gone from the bundle", () => {
    const bundle = makeBundle(makeEngagement({ id: id("eng", "2") }));
    assert.equal(mustEnd(session, bundle, new RevocationIndex(), NOW)?.reason, "engagement-ended");
  });

  for (const [level, target] of [
    ["certificate", "42"],
    ["key", "SHA256:key"],
    ["session", session.sessionId],
    ["member", MEMBER],
    ["engagement", session.engagementId],
  ] as const) {
    it(`ends when its ${level} is revoked, with or without the engagement still there`, () => {
      const revocations = new RevocationIndex([makeRevocation(level, target)]);
      for (const bundle of [makeBundle(), makeBundle(makeEngagement({ id: id("eng", "2") }))]) {
        const end = mustEnd(session, bundle, revocations, NOW);
        assert.equal(end?.reason, "revoked");
        assert.match(end.detail, new RegExp(`^${level} `));
        assert.match(end.told, /revoked/);
      }
    });
  }

  it("goes on while the IdP is silent, however long: nobody has said that the person is not theirs", () => {
    const { issuer } = session;
    const bundle = { ...makeBundle(), silentIssuers: [{ issuer, since: NOW - 24 * HOUR }] };
    assert.equal(mustEnd(session, bundle, new RevocationIndex(), NOW), null);
  });

  it("ends when it is revoked though the host has no bundle that it could judge by, and else goes on", () => {
    const revocations = new RevocationIndex([makeRevocation("member", MEMBER, 1)]);
    assert.equal(mustEnd(session, null, revocations, NOW)?.reason, "revoked");
    assert.equal(mustEnd(session, null, new RevocationIndex(), NOW), null);
  });

  it("says revoked rather than ended when both are so", () => {
    const bundle = makeBundle(makeEngagement({ end: NOW }));
    const revocations = new RevocationIndex([makeRevocation("session", session.sessionId)]);
    assert.equal(mustEnd(session, bundle, revocations, NOW)?.reason, "revoked");
  });
});

describe("the end of a session as things stand", () => {
  const rows: [what: string, change: Changes<Engagement>, end: number][] = [
    ["is the engagement's", { end: NOW + HOUR }, NOW + HOUR],
    ["is an early end", { end: NOW + HOUR, ended: { at: NOW + 60, by: "", reason: "" } }, NOW + 60],
    [
      "is not an early end after the end",
      { end: NOW + 60, ended: { at: NOW + 90, by: "", reason: "" } },
      NOW + 60,
    ],
    ["is the close of the hours", { hours: hours("09:00", "10:30") }, NOW + 30 * 60],
    [
      "is the engagement's before the hours close",
      { end: NOW + 60, hours: hours("09:00", "10:30") },
      NOW + 60,
    ],
    ["is the engagement's where the hours never close", { hours: hours("00:00", "24:00") }, NOW + 24 * HOUR],
  ];
  for (const [what, change, end] of rows) {
    it(what, () => assert.equal(endsAt(makeEngagement(change), NOW), end));
  }
});
