import assert from "node:assert/strict";
import { carriedApproval, widens } from "@sallyport/control-plane/policy/widens.ts";
import { applyMergePatch } from "@sallyport/core/json-merge-patch.ts";
import { Engagement } from "@sallyport/core/policy/engagement.ts";

const ID = (letter: string) => letter.repeat(26);
const [ANN, BEN] = [`mem_${ID("a")}`, `mem_${ID("b")}`];

const BASE = {
  id: `eng_${ID("e")}`,
  name: "work",
  vendor: "acme",
  members: [ANN],
  hosts: { names: ["web-1"], labels: { env: "test" } },
  accounts: ["deploy"],
  personal: { groups: ["adm"], home: "archive" },
  privilege: { sudo: "listed", commands: [{ program: "/bin/a", arguments: ["x"], runAs: "root" }] },
  mode: "shell",
  forwarding: { local: ["db:5432"], remote: ["8080"], agent: false, x11: false },
  limits: { idle: 600, longest: 3600, concurrent: 2 },
  recording: { input: true, durability: "strict" },
  acceptUnsafeShell: false,
  mfa: { level: "mfa", maxAge: 3600 },
  hours: { timeZone: "UTC", windows: [{ days: ["mon", "tue"], from: "08:00", to: "18:00" }] },
  sources: ["192.0.2.0/24"],
  start: 1000,
  end: 2000,
  ended: null,
  approval: {
    rule: "activation",
    approvers: 2,
    lasts: 3600,
    ticket: false,
    approved: true,
    granted: [{ member: ANN, until: 1500 }],
  },
  assurance: "bound",
  certificateLifetime: 600,
  idpGrace: 900,
  sponsor: "dana@corp.test",
  contact: "dana@corp.test",
};

/** The base with a merge patch on it; `null` where a field is to be null, as a merge patch cannot say. */
function engagement(patch: object, nulls: string[] = []): Engagement {
  const merged = applyMergePatch(BASE, patch) as Record<string, unknown>;
  for (const path of nulls) {
    const [field = "", inner] = path.split(".");
    if (inner === undefined) merged[field] = null;
    else merged[field] = { ...(merged[field] as object), [inner]: null };
  }
  return Engagement.parse(merged);
}

const windows = (...list: object[]) => ({ hours: { windows: list } });
const command = (program: string, args: string[] | null = []) => ({
  privilege: { commands: [{ program, arguments: args, runAs: "root" }] },
});

const WIDER: [what: string, field: string, after: Engagement][] = [
  ["another member", "members", engagement({ members: [ANN, BEN] })],
  ["somebody else in their place", "members", engagement({ members: [BEN] })],
  ["another host", "hosts", engagement({ hosts: { names: ["web-1", "web-2"] } })],
  ["a label less", "hosts", engagement({ hosts: { labels: { env: null, tier: "web" } } })],
  ["a label with another value", "hosts", engagement({ hosts: { labels: { env: "production" } } })],
  ["another account", "accounts", engagement({ accounts: ["deploy", "app"] })],
  ["another group", "personal", engagement({ personal: { groups: ["adm", "docker"] } })],
  ["another sudo command", "privilege", engagement(command("/bin/b", ["x"]))],
  ["other arguments", "privilege", engagement(command("/bin/a", ["y"]))],
  ["open arguments", "privilege", engagement(command("/bin/a", null))],
  ["full sudo", "privilege", engagement({ privilege: { sudo: "full", commands: null } })],
  ["another destination", "forwarding", engagement({ forwarding: { local: ["db:5432", "db:22"] } })],
  ["another listening port", "forwarding", engagement({ forwarding: { remote: ["8080", "80"] } })],
  ["agent forwarding", "forwarding", engagement({ forwarding: { agent: true } })],
  ["X11 forwarding", "forwarding", engagement({ forwarding: { x11: true } })],
  ["a longer idle time", "limits", engagement({ limits: { idle: 601 } })],
  ["no idle limit", "limits", engagement({}, ["limits.idle"])],
  ["longer sessions", "limits", engagement({ limits: { longest: 7200 } })],
  ["more sessions", "limits", engagement({}, ["limits.concurrent"])],
  ["input that is not recorded", "recording", engagement({ recording: { input: false } })],
  ["less durable recording", "recording", engagement({ recording: { durability: "normal" } })],
  ["unsafe shells", "acceptUnsafeShell", engagement({ acceptUnsafeShell: true })],
  ["weaker MFA", "mfa", engagement({ mfa: { level: "none" } })],
  ["older sign-ins", "mfa", engagement({ mfa: { maxAge: 7200 } })],
  ["sign-ins of any age", "mfa", engagement({}, ["mfa.maxAge"])],
  ["no hours", "hours", engagement({}, ["hours"])],
  ["an hour more", "hours", engagement(windows({ days: ["mon"], from: "08:00", to: "19:00" }))],
  ["a day more", "hours", engagement(windows({ days: ["mon", "sun"], from: "08:00", to: "18:00" }))],
  ["another time zone", "hours", engagement({ hours: { timeZone: "Asia/Tokyo" } })],
  ["any source", "sources", engagement({ sources: [] })],
  ["another source", "sources", engagement({ sources: ["192.0.2.0/24", "198.51.100.7"] })],
  ["an earlier start", "start", engagement({ start: 999 })],
  ["a later end", "end", engagement({ end: 2001 })],
  ["lower assurance", "assurance", engagement({ assurance: "brokered" })],
  ["longer certificates", "certificateLifetime", engagement({ certificateLifetime: 601 })],
  ["certificates of any length", "certificateLifetime", engagement({}, ["certificateLifetime"])],
  ["more patience with a silent IdP", "idpGrace", engagement({ idpGrace: 901 })],
];

const NARROWER: [what: string, after: Engagement][] = [
  ["nothing", engagement({})],
  ["nobody", engagement({ members: [] })],
  ["fewer hosts", engagement({ hosts: { labels: { tier: "web" } } })],
  ["no host by name", engagement({ hosts: { names: [] } })],
  ["no label at all: that means no host", engagement({ hosts: { labels: { env: null } } })],
  [
    "no personal accounts and no sudo",
    engagement({ privilege: { sudo: "none", commands: null } }, ["personal"]),
  ],
  ["home directories that are kept", engagement({ personal: { home: "keep" } })],
  ["no forwarding", engagement({ forwarding: { local: [], remote: [] } })],
  ["lower limits", engagement({ limits: { idle: 60, longest: 60, concurrent: 1 } })],
  ["stronger MFA", engagement({ mfa: { level: "phishing-resistant", maxAge: 60 } })],
  ["fewer hours", engagement(windows({ days: ["tue"], from: "09:00", to: "17:00" }))],
  ["a shorter time", engagement({ start: 1001, end: 1999 })],
  ["shorter certificates", engagement({ certificateLifetime: 60 })],
  ["less patience with a silent IdP", engagement({ idpGrace: 60 })],
  ["another contact and sponsor", engagement({ contact: "x", sponsor: "erin@corp.test" })],
];

describe("widening an engagement", () => {
  for (const [what, field, after] of WIDER) {
    it(`is ${what}, and needs approval anew`, () => {
      assert.deepEqual(widens(engagement({}), after), [field]);
      assert.equal(carriedApproval(engagement({}), after).approved, false);
    });
  }

  for (const [what, after] of NARROWER) {
    it(`is not ${what}`, () => {
      assert.deepEqual(widens(engagement({}), after), []);
      assert.equal(carriedApproval(engagement({}), after).approved, true);
    });
  }

  it("is personal accounts, hours and sources where there were none only as far as they grant more", () => {
    const bare = engagement({ sources: [], privilege: { sudo: "none", commands: null } }, [
      "personal",
      "hours",
    ]);
    const personal = engagement({ sources: [], privilege: { sudo: "none", commands: null } }, ["hours"]);
    assert.deepEqual(widens(bare, personal), ["personal"]);
    assert.deepEqual(widens(bare, { ...bare, sources: ["192.0.2.1"], hours: engagement({}).hours }), []);
  });

  it("cannot be had by way of another rule: an approval is gone with its rule", () => {
    const open = engagement({ approval: { rule: "none" }, hosts: { names: ["web-1", "web-2"] } });
    assert.equal(carriedApproval(engagement({}), open).approved, false);
    assert.equal(carriedApproval(open, engagement({ hosts: open.hosts })).approved, false);
  });

  it("is not, but asks anew, where the rule asks for more than was answered", () => {
    for (const approval of [{ approvers: 3 }, { ticket: true }])
      assert.equal(carriedApproval(engagement({}), engagement({ approval })).approved, false);
    assert.equal(carriedApproval(engagement({}), engagement({ approval: { approvers: 1 } })).approved, true);
  });

  it("leaves what members were granted to log in when others join, and takes it when they could do more", () => {
    const before = engagement({ approval: { rule: "login" } });
    const joined = engagement({ approval: { rule: "login" }, members: [ANN, BEN], end: 3000 });
    assert.deepEqual(carriedApproval(before, joined).granted, before.approval.granted);
    const wider = engagement({ approval: { rule: "login" }, accounts: ["deploy", "root"] });
    assert.deepEqual(carriedApproval(before, wider).granted, []);
    const left = engagement({ approval: { rule: "login" }, members: [BEN] });
    assert.deepEqual(carriedApproval(before, left).granted, []);
  });
});
