import { LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import type { ToldRefusalCode } from "@sallyport/core/policy/refusal.ts";
import { HOUR, makeRevocation, NOW, only, type Scenario } from "./scenario.ts";

/** For each refusal that `evaluateLogin` can give, in the order of its checks: one change that brings it about. */
export const BREAKS: [ToldRefusalCode, (scenario: Scenario) => void][] = [
  ["policy-missing", ({ condition }) => Object.assign(condition, { bundle: null })],
  [
    "clock-set-back",
    ({ condition }) => Object.assign(condition, { clock: { trusted: false, detail: "an hour back" } }),
  ],
  ["not-a-member", ({ request }) => Object.assign(request.identity.token, { subject: "mallory" })],
  ["assurance-too-low", ({ request }) => Object.assign(request.identity, { assurance: "brokered" })],
  ["mfa-required", (scenario) => Object.assign(only(scenario).mfa, { level: "phishing-resistant" })],
  ["mfa-too-old", ({ request }) => Object.assign(request.identity.token, { authTime: NOW - 9 * HOUR })],
  [
    "engagement-ended",
    (scenario) => Object.assign(only(scenario), { ended: { at: NOW - 60, by: "sam", reason: "" } }),
  ],
  ["engagement-not-started", (scenario) => Object.assign(only(scenario), { start: NOW + 60 })],
  [
    "outside-hours",
    (scenario) =>
      Object.assign(only(scenario), {
        hours: { timeZone: "UTC", windows: [{ days: ["tue"], from: "00:00", to: "24:00" }] },
      }),
  ],
  ["source-address", (scenario) => Object.assign(only(scenario), { sources: ["198.51.100.0/24"] })],
  ["host-not-granted", (scenario) => Object.assign(only(scenario).hosts, { names: ["db-2"] })],
  ["account-not-granted", ({ request }) => Object.assign(request, { account: "root" })],
  [
    "approval-missing",
    (scenario) => Object.assign(only(scenario), { approval: { rule: "activation", approved: false } }),
  ],
  [
    "local-policy",
    ({ condition }) =>
      Object.assign(condition, {
        local: [LocalPolicy.parse({ version: 1, deny: { all: true } })],
      }),
  ],
  [
    "mode-not-allowed",
    ({ condition }) => {
      condition.local = [...condition.local, LocalPolicy.parse({ version: 1, modes: ["files"] })];
    },
  ],
  ["revoked", ({ condition }) => condition.revocations.add(makeRevocation("certificate", "42"))],
  [
    "idp-silent",
    ({ condition, request }) => {
      const { issuer } = request.identity.token;
      if (condition.bundle !== null) condition.bundle.silentIssuers = [{ issuer, since: NOW - 900 }];
    },
  ],
  ["lease-expired", ({ condition }) => Object.assign(condition, { leaseUntil: NOW })],
  ["recorder-unavailable", ({ condition }) => Object.assign(condition, { recorderReady: false })],
  ["spool-full", ({ condition }) => Object.assign(condition, { spoolReserveFree: false })],
  [
    "account-unsafe",
    ({ condition }) =>
      Object.assign(condition, {
        accountUnsafe: () => ({ reason: "~/.bashrc is read first", acceptable: true }),
      }),
  ],
  [
    "too-many-sessions",
    (scenario) => {
      Object.assign(only(scenario).limits, { concurrent: 2 });
      scenario.condition.sessionsOf = () => 2;
    },
  ],
];
