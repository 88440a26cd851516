import assert from "node:assert/strict";
import {
  codeOf,
  decide,
  HOUR,
  id,
  MEMBER,
  makeEngagement,
  makeRevocation,
  makeScenario,
  NOW,
  only,
  type Scenario,
} from "./scenario.ts";

type Row = [what: string, code: string, change: (scenario: Scenario) => void];

const inEngagement =
  (changes: object) =>
  (scenario: Scenario): void => {
    Object.assign(only(scenario), changes);
  };
const inToken =
  (changes: object) =>
  ({ request }: Scenario): void => {
    Object.assign(request.identity.token, changes);
  };
const revoked =
  (...entry: Parameters<typeof makeRevocation>) =>
  ({ condition }: Scenario): void =>
    condition.revocations.add(makeRevocation(...entry));

const { id: engagementId } = makeEngagement();

const login = (granted: { member: string; until: number }[]) => ({ rule: "login", approved: false, granted });

const silent =
  (since: number, issuer?: string) =>
  ({ condition, request }: Scenario): void => {
    condition.bundle.silentIssuers = [{ issuer: issuer ?? request.identity.token.issuer, since }];
  };

const groups: Record<string, Row[]> = {
  "identity is issuer and subject": [
    ["the same subject of another issuer", "not-a-member", inToken({ issuer: "https://idp.example/other" })],
    ["the subject in capitals", "not-a-member", inToken({ subject: "Alice" })],
    [
      "a subject that is the member's e-mail only",
      "not-a-member",
      inToken({ subject: "", email: "alice@acme.example" }),
    ],
    ["a member of no engagement", "not-a-member", inEngagement({ members: [] })],
    ["no engagement at all", "not-a-member", ({ condition }) => condition.bundle.engagements.splice(0)],
  ],
  MFA: [
    ["none where mfa is needed", "mfa-required", inToken({ mfa: "none" })],
    ["a phishing-resistant one where mfa is needed", "admit", inToken({ mfa: "phishing-resistant" })],
    [
      "none where none is needed",
      "admit",
      (s) => [inEngagement({ mfa: { level: "none", maxAge: null } })(s), inToken({ mfa: "none" })(s)],
    ],
    ["as old as it may be", "admit", inToken({ authTime: NOW - 8 * HOUR })],
    ["a second older", "mfa-too-old", inToken({ authTime: NOW - 8 * HOUR - 1 })],
    ["of unknown age", "mfa-too-old", inToken({ authTime: null })],
    [
      "of unknown age where any will do",
      "admit",
      (s) => [inEngagement({ mfa: { level: "mfa", maxAge: null } })(s), inToken({ authTime: null })(s)],
    ],
  ],
  window: [
    ["the second before the end", "admit", inEngagement({ end: NOW + 1 })],
    ["the end itself", "engagement-ended", inEngagement({ end: NOW })],
    ["the start itself", "admit", inEngagement({ start: NOW })],
    ["the second before the start", "engagement-not-started", inEngagement({ start: NOW + 1 })],
    ["ended early, now", "engagement-ended", inEngagement({ ended: { at: NOW, by: "sam", reason: "done" } })],
    ["to be ended in a second", "admit", inEngagement({ ended: { at: NOW + 1, by: "sam", reason: "done" } })],
  ],
  hosts: [
    ["named", "admit", inEngagement({ hosts: { names: ["db-1"], labels: {} } })],
    [
      "all labels fit",
      "admit",
      inEngagement({ hosts: { names: [], labels: { env: "prod", team: "data" } } }),
    ],
    [
      "one label fits and one does not",
      "host-not-granted",
      inEngagement({ hosts: { names: [], labels: { env: "prod", team: "web" } } }),
    ],
    [
      "a label that the host has not",
      "host-not-granted",
      inEngagement({ hosts: { names: [], labels: { tier: "1" } } }),
    ],
    [
      "a label that every object has",
      "host-not-granted",
      inEngagement({ hosts: { names: [], labels: { constructor: "x" } } }),
    ],
    [
      "another name, but its labels fit",
      "admit",
      inEngagement({ hosts: { names: ["db-2"], labels: { env: "prod" } } }),
    ],
    ["neither names nor labels", "host-not-granted", inEngagement({ hosts: { names: [], labels: {} } })],
  ],
  accounts: [
    [
      "another one of the engagement",
      "admit",
      ({ request }) => Object.assign(request, { account: "postgres" }),
    ],
    [
      "one that begins alike",
      "account-not-granted",
      ({ request }) => Object.assign(request, { account: "deploy2" }),
    ],
    ["in capitals", "account-not-granted", ({ request }) => Object.assign(request, { account: "Deploy" })],
    ["a wildcard", "account-not-granted", ({ request }) => Object.assign(request, { account: "*" })],
    [
      "a name from the prototype",
      "account-not-granted",
      ({ request }) => Object.assign(request, { account: "constructor" }),
    ],
    ["none", "account-not-granted", ({ request }) => Object.assign(request, { account: "" })],
  ],
  approval: [
    ["given", "admit", inEngagement({ approval: { rule: "activation", approved: true } })],
    ["not needed", "admit", inEngagement({ approval: { rule: "none", approved: false } })],
    ["not given", "approval-missing", inEngagement({ approval: login([]) })],
    ["for this member", "admit", inEngagement({ approval: login([{ member: MEMBER, until: NOW + 1 }]) })],
    ["run out", "approval-missing", inEngagement({ approval: login([{ member: MEMBER, until: NOW }]) })],
    [
      "run out and given anew",
      "admit",
      inEngagement({
        approval: login([
          { member: MEMBER, until: NOW },
          { member: MEMBER, until: NOW + 1 },
        ]),
      }),
    ],
    [
      "for another member",
      "approval-missing",
      inEngagement({ approval: login([{ member: id("mem", "2"), until: NOW + HOUR }]) }),
    ],
    [
      "of the whole engagement where each member needs one",
      "approval-missing",
      inEngagement({ approval: { ...login([]), approved: true } }),
    ],
    [
      "of a member where the engagement needs one",
      "approval-missing",
      inEngagement({ approval: { ...login([{ member: MEMBER, until: NOW + HOUR }]), rule: "activation" } }),
    ],
  ],
  revocation: [
    ["this certificate", "revoked", revoked("certificate", "42")],
    ["this key", "revoked", revoked("key", "SHA256:key")],
    ["this member", "revoked", revoked("member", "mem_11111111111111111111111111")],
    ["this engagement", "revoked", revoked("engagement", engagementId)],
    ["a session only", "admit", revoked("session", "ses_11111111111111111111111111")],
    ["another certificate", "admit", revoked("certificate", "4")],
    ["a key whose name is this certificate's", "admit", revoked("key", "42")],
  ],
  "a silent IdP": [
    ["for a second less than the grace", "admit", silent(NOW - 899)],
    ["for as long as the grace", "idp-silent", silent(NOW - 900)],
    ["for long, and it is another one", "admit", silent(NOW - 24 * HOUR, "https://idp.example/other")],
    [
      "for longer than usual, and the engagement is patient",
      "admit",
      (s) => [inEngagement({ idpGrace: HOUR })(s), silent(NOW - HOUR + 1)(s)],
    ],
    [
      "with the shortest patience",
      "idp-silent",
      (s) => [inEngagement({ idpGrace: 60 })(s), silent(NOW - 60)(s)],
    ],
    ["since a moment to come, by its clock", "admit", silent(NOW + 60)],
    [
      "of somebody who is revoked",
      "revoked",
      (s) => [silent(NOW - HOUR)(s), revoked("key", "SHA256:key")(s)],
    ],
  ],
  lease: [
    ["its last second", "admit", ({ condition }) => Object.assign(condition, { leaseUntil: NOW + 1 })],
    [
      "prolonged past the bundle's own",
      "admit",
      ({ condition }) => Object.assign(condition.bundle, { leaseUntil: NOW - HOUR }),
    ],
    ["over", "lease-expired", ({ condition }) => Object.assign(condition, { leaseUntil: NOW })],
  ],
};

for (const [group, rows] of Object.entries(groups)) {
  describe(`a login by the policy: ${group}`, () => {
    for (const [what, code, change] of rows) {
      it(`${what}: ${code}`, () => {
        const scenario = makeScenario();
        change(scenario);
        assert.equal(codeOf(decide(scenario)), code);
      });
    }
  });
}

describe("a login by the policy", () => {
  it("comes in by the engagement that waits longer for a silent IdP", () => {
    const [hasty, patient] = [60, HOUR].map((idpGrace, index) =>
      makeEngagement({ id: id("eng", String(index + 1)), name: `grace-${idpGrace}`, idpGrace }),
    );
    assert.ok(hasty !== undefined && patient !== undefined);
    const scenario = makeScenario(hasty, patient);
    silent(NOW - 120)(scenario);
    const decision = decide(scenario);
    assert.deepEqual([codeOf(decision), decision.engagement?.name], ["admit", patient.name]);
  });

  it("asks about the very account", () => {
    const scenario = makeScenario();
    const asked: string[] = [];
    scenario.condition.accountUnsafe = (account) => {
      asked.push(account);
      return null;
    };
    decide(scenario);
    assert.deepEqual(asked, ["deploy"]);
  });

  it("passes on what is no refusal: a mistake of ours is not an answer", () => {
    const scenario = makeScenario();
    scenario.condition.accountUnsafe = () => {
      throw new TypeError("a bug");
    };
    assert.throws(() => decide(scenario), TypeError);
  });
});
