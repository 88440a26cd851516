import { type Bundle, Bundle as BundleSchema } from "@sallyport/core/policy/bundle.ts";
import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import {
  type Decision,
  evaluateLogin,
  type HostCondition,
  type LoginRequest,
} from "@sallyport/core/policy/evaluate.ts";
import { type Revocation, RevocationIndex, type RevocationLevel } from "@sallyport/core/policy/revocation.ts";

/** A Wednesday, 10:00 UTC. */
export const NOW = Date.UTC(2026, 9, 14, 10) / 1000;
export const HOUR = 3600;

export const id = (prefix: string, digit: string): string => `${prefix}_${digit.repeat(26)}`;
export const MEMBER = id("mem", "1");
const ISSUER = "https://idp.example/tenant";

/** Anything that a test sets; names may be ones that the schema would refuse. */
export type Changes<T> = { [K in keyof T]?: unknown };

/** One login that is admitted, in parts that a test breaks. */
export interface Scenario {
  request: LoginRequest;
  condition: HostCondition & { bundle: Bundle; revocations: RevocationIndex };
}

export function makeEngagement(changes: Changes<Engagement> = {}): Engagement {
  const plain = {
    id: id("eng", "1"),
    name: "acme-db",
    vendor: "acme",
    members: [MEMBER],
    hosts: { names: ["db-1"], labels: {} },
    accounts: ["deploy", "postgres"],
    personal: null,
    privilege: { sudo: "none" },
    forwarding: { local: [], remote: [], agent: false, x11: false },
    limits: { idle: null, longest: null, concurrent: null },
    recording: { input: true, durability: "normal" },
    acceptUnsafeShell: false,
    mode: "shell",
    commands: null,
    files: null,
    mfa: { level: "mfa", maxAge: 8 * HOUR },
    hours: null,
    sources: [],
    start: NOW - 24 * HOUR,
    end: NOW + 24 * HOUR,
    ended: null,
    approval: { rule: "none", approvers: 1, lasts: 8 * HOUR, ticket: false, approved: false, granted: [] },
    assurance: "bound",
    certificateLifetime: null,
    idpGrace: 900,
    sponsor: null,
    contact: "dana@company.example",
  };
  return { ...plain, ...changes } as Engagement;
}

export function makeBundle(...engagements: Engagement[]): Bundle {
  const identities = [{ issuer: ISSUER, subject: "alice" }];
  return {
    ...BundleSchema.parse({
      v: 1,
      host: { id: id("hst", "1"), name: "db-1", labels: { env: "prod", team: "data" } },
      version: 7,
      issuedAt: NOW - HOUR,
      leaseUntil: NOW + HOUR,
      members: [{ id: MEMBER, name: "Alice", email: null, vendor: "acme", identities }],
      engagements: [],
      revocations: [],
      revocationSequence: 0,
      silentIssuers: [],
    }),
    engagements: engagements.length > 0 ? engagements : [makeEngagement()],
  };
}

export function makeScenario(...engagements: Engagement[]): Scenario {
  return {
    request: {
      identity: {
        token: {
          issuer: ISSUER,
          subject: "alice",
          nonce: "n",
          issuedAt: NOW - 60,
          expiresAt: NOW + HOUR,
          authTime: NOW - 60,
          mfa: "mfa",
          acr: null,
          amr: ["mfa"],
          acrs: [],
          email: null,
          emailVerified: false,
          name: null,
        },
        assurance: "bound",
        certificateSerial: "42",
        keyFingerprint: "SHA256:key",
        validBefore: NOW + HOUR,
      },
      account: "deploy",
      sourceAddress: "192.0.2.7",
      now: NOW,
    },
    condition: {
      bundle: makeBundle(...engagements),
      leaseUntil: NOW + HOUR,
      revocations: new RevocationIndex(),
      clock: { trusted: true, detail: "" },
      local: [],
      recorderReady: true,
      spoolReserveFree: true,
      accountUnsafe: () => null,
      sessionsOf: () => 0,
    },
  };
}

export function decide(scenario: Scenario): Decision {
  return evaluateLogin(scenario.request, scenario.condition);
}

/** The refusal's code, or "admit". */
export function codeOf(decision: Decision): string {
  return decision.outcome === "admit" ? "admit" : decision.refusal.code;
}

export function makeRevocation(level: RevocationLevel, target: string, sequence = 1): Revocation {
  const by = "sam@company.example";
  return {
    id: id("rev", "1"),
    sequence,
    level,
    target,
    at: NOW - 60,
    by,
    reason: "left the vendor",
    before: null,
  };
}

/** The one engagement of a scenario, to be changed in place. */
export function only(scenario: Scenario): Engagement {
  const [engagement] = scenario.condition.bundle.engagements;
  if (engagement === undefined) throw new TypeError("no engagement");
  return engagement;
}
