import assert from "node:assert/strict";
import { mfaSuffices } from "@sallyport/core/admission/mfa.ts";
import { mustEnd } from "@sallyport/core/policy/continue.ts";
import { Engagement } from "@sallyport/core/policy/engagement.ts";
import { evaluateLogin } from "@sallyport/core/policy/evaluate.ts";
import { LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import { RevocationIndex } from "@sallyport/core/policy/revocation.ts";
import fc from "fast-check";
import { id, MEMBER, makeEngagement, makeScenario, NOW } from "./scenario.ts";

/*
 * Local policies can only narrow: for any engagements and any policies, whoever is admitted with them is admitted
 * without them, and gets no more.
 */

const RUNS = 3_000;

/** A key that is mostly absent: else hardly anybody is admitted. */
const some = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 5 }, { arbitrary, weight: 1 });
const limit = fc.constantFrom(null, 60, 300, 3600);
const often = <T>(value: T, arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: fc.constant(value), weight: 2 }, { arbitrary, weight: 1 });
const few = <T>(...values: T[]) => fc.uniqueArray(fc.constantFrom(...values), { maxLength: values.length });
const limits = fc.record({ idle: limit, longest: limit, concurrent: fc.constantFrom(null, 1, 2) });
const forwarding = fc.record({
  local: few("db:*", "db:5432", "db:5433", "[::1]:22", "web:443"),
  remote: few("8080", "localhost:8080", "[::1]:8080", "9090"),
  agent: fc.boolean(),
  x11: fc.boolean(),
});
const hours = fc.constantFrom(
  { timeZone: "UTC", windows: [{ days: ["wed"], from: "09:00", to: "11:00" }] },
  { timeZone: "Europe/Berlin", windows: [{ days: ["wed"], from: "09:00", to: "11:00" }] },
);
const sources = few("192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32");
const mfa = fc.record({ level: fc.constantFrom("none", "mfa", "phishing-resistant"), maxAge: limit });
const accounts = few("deploy", "postgres", "sp-alice");

const engagement = fc
  .record({
    id: fc.constantFrom(id("eng", "1"), id("eng", "2")),
    name: fc.constantFrom("acme-db", "acme-web"),
    vendor: fc.constantFrom("acme", "other"),
    accounts: often(["deploy", "postgres"], accounts),
    personal: fc.constantFrom(null, { groups: [], home: "keep" }),
    privilege: fc.constantFrom(
      { sudo: "none" },
      { sudo: "full" },
      { sudo: "listed", commands: [{ program: "/bin/true", arguments: [], runAs: "root" }] },
    ),
    forwarding,
    limits,
    recording: fc.record({ input: fc.boolean(), durability: fc.constantFrom("normal", "strict") }),
    acceptUnsafeShell: fc.boolean(),
    mfa: often({ level: "none", maxAge: null }, mfa),
    hours: often(null as object | null, hours),
    sources: often([] as string[], sources),
  })
  .map((changes) => Engagement.parse(makeEngagement(changes)));

const localPolicy = fc
  .record({
    deny: some(
      fc
        .record({
          vendors: few("acme", "other", "third"),
          members: few(MEMBER, "Alice@acme.example", "bob@acme.example"),
          engagements: few("acme-db", "acme-web"),
        })
        .map((deny) => (deny.vendors.length > 1 ? { ...deny, all: true } : deny)),
    ),
    accounts: some(accounts),
    hours: some(hours),
    sources: some(sources.filter((list) => list.length > 0)),
    mfa: some(mfa),
    limits: some(limits),
    forwarding: some(fc.oneof(fc.constant("none"), forwarding)),
    sudo: some(fc.constantFrom("none", "listed", "full")),
    recording: some(fc.constantFrom({}, { input: true }, { durability: "strict" })),
    acceptUnsafeShell: some(fc.constant(false)),
  })
  .map((content) => LocalPolicy.parse({ version: 1, ...content }));

const login = fc.record({
  engagements: fc.array(engagement, { minLength: 1, maxLength: 3 }),
  local: fc.array(localPolicy, { maxLength: 3 }),
  account: fc.constantFrom("deploy", "postgres", "sp-alice"),
  sourceAddress: fc.constantFrom("192.0.2.7", "198.51.100.1", "2001:db8::1"),
  level: fc.constantFrom("mfa" as const, "phishing-resistant" as const),
  unsafe: fc.boolean(),
  running: fc.constantFrom(0, 1),
});

type Login = typeof login extends fc.Arbitrary<infer T> ? T : never;

function judge(one: Login, local: readonly LocalPolicy[]) {
  const { request, condition } = makeScenario(...one.engagements);
  Object.assign(condition.bundle.members[0] ?? {}, { email: "alice@acme.example", account: "sp-alice" });
  const { account, sourceAddress, level, unsafe, running } = one;
  Object.assign(request, { account, sourceAddress });
  Object.assign(request.identity.token, { mfa: level });
  const unsafeAccount = unsafe ? { reason: "reads ~/.bashrc", acceptable: true } : null;
  const host = { ...condition, local, accountUnsafe: () => unsafeAccount, sessionsOf: () => running };
  return { decision: evaluateLogin(request, host), bundle: condition.bundle };
}

describe("local policies, whatever is in them", () => {
  it("admit nobody whom the bundle does not", () => {
    let admitted = 0;
    fc.assert(
      fc.property(login, (one) => {
        if (judge(one, one.local).decision.outcome !== "admit") return;
        if (one.local.length > 0) admitted++;
        assert.equal(judge(one, []).decision.outcome, "admit");
      }),
      { numRuns: RUNS, seed: 1 },
    );
    assert.ok(admitted > RUNS / 10, `${admitted} were admitted past a local policy`);
  });

  it("grant nothing that the engagement does not", () => {
    fc.assert(
      fc.property(login, (one) => {
        const { decision } = judge(one, one.local);
        if (decision.outcome !== "admit") return;
        const left = decision.engagement;
        assert.ok(one.engagements.some((whole) => whole.id === left.id && isWithin(left, whole)));
      }),
      { numRuns: RUNS, seed: 2 },
    );
  });

  it("end every session that they would not let begin for want of a right account, hour or person", () => {
    fc.assert(
      fc.property(login, (one) => {
        const [engagement] = one.engagements;
        if (engagement === undefined) return;
        const { decision, bundle } = judge({ ...one, engagements: [engagement] }, one.local);
        if (decision.outcome === "admit" || decision.refusal.code !== "local-policy") return;
        const session = {
          ...{ sessionId: id("ses", "1"), memberId: MEMBER, engagementId: engagement.id },
          ...{ account: one.account, certificateSerial: "42", keyFingerprint: "SHA256:key" },
          ...{ issuer: "https://idp.example", subject: "someone", signedInAt: 1000 },
        };
        const end = mustEnd(session, bundle, new RevocationIndex(), NOW, one.local);
        const lasting = /^(deny|accounts|hours)/.test(decision.refusal.detail);
        assert.equal(end?.detail, lasting ? decision.refusal.detail : undefined);
      }),
      { numRuns: RUNS, seed: 3 },
    );
  });
});

function isWithin(left: Engagement, whole: Engagement): boolean {
  const within = <T>(some: readonly T[], all: readonly T[]) => some.every((one) => all.includes(one));
  const atMost = (a: number | null, b: number | null) => b === null || (a !== null && a <= b);
  const [f, g] = [left.forwarding, whole.forwarding];
  const sudo = { none: 0, listed: 1, full: 2 };
  return (
    within(left.members, whole.members) &&
    within(left.accounts, whole.accounts) &&
    (left.personal === null || whole.personal !== null) &&
    sudo[left.privilege.sudo] <= sudo[whole.privilege.sudo] &&
    (left.privilege.sudo !== "listed" || left.privilege === whole.privilege) &&
    f.local.every((to) => g.local.some((one) => one === to || one === to.replace(/:\d+$/, ":*"))) &&
    f.remote.every((at) => g.remote.some((one) => one === at || one === at.replace(/^.*:/, ""))) &&
    (!f.agent || g.agent) &&
    (!f.x11 || g.x11) &&
    atMost(left.limits.idle, whole.limits.idle) &&
    atMost(left.limits.longest, whole.limits.longest) &&
    atMost(left.limits.concurrent, whole.limits.concurrent) &&
    (left.recording.input || !whole.recording.input) &&
    (left.recording.durability === "strict" || whole.recording.durability === "normal") &&
    (!left.acceptUnsafeShell || whole.acceptUnsafeShell) &&
    mfaSuffices(left.mfa.level, whole.mfa.level) &&
    atMost(left.mfa.maxAge, whole.mfa.maxAge)
  );
}
