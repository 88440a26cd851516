import { printable } from "../terminal-text.ts";
import type { Bundle } from "./bundle.ts";
import type { Engagement, MfaLevel } from "./engagement.ts";
import type { Revocation } from "./revocation.ts";

/*
 * What a contractor reads when a login is refused or a session ends: what happened, and what to do. Only for people
 * whose identity is proven. Kept apart from the checks, so that the log's detail never leaks into it.
 */

const ask = (engagement: Engagement): string =>
  engagement.contact === "" ? "" : ` Ask ${printable(engagement.contact)}.`;

/** The minute in UTC, as people write it. */
export function minuteOf(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

export const tell = {
  policyMissing: () => "This host has not received its policy yet. Try again in a minute.",
  notAMember: (bundle: Bundle) =>
    `You are not a member of any engagement on ${bundle.host.name}. Ask the person who invited you to add you.`,
  mfaRequired: (engagement: Engagement, level: MfaLevel) =>
    `Engagement ${engagement.name} needs a sign-in with ${engagement.mfa.level === "mfa" ? "a second factor" : "a phishing-resistant factor"}; yours had ${level === "none" ? "none" : "a weaker one"}. Set one up at your identity provider, then run: sallyport login`,
  mfaTooOld: (engagement: Engagement) =>
    `Your sign-in is older than engagement ${engagement.name} accepts. Run: sallyport login --force`,
  engagementEnded: (engagement: Engagement) => {
    const at = engagement.ended?.at ?? engagement.end;
    const reason = engagement.ended?.reason ? ` (${printable(engagement.ended.reason)})` : "";
    return `Engagement ${engagement.name} ended ${minuteOf(at)}${reason}.${ask(engagement)}`;
  },
  engagementNotStarted: (engagement: Engagement) =>
    `Engagement ${engagement.name} starts ${minuteOf(engagement.start)}. Try again then.${ask(engagement)}`,
  outsideHours: (engagement: Engagement) =>
    `Engagement ${engagement.name} allows logins only ${describeHours(engagement)}.${ask(engagement)}`,
  sourceAddress: (engagement: Engagement, address: string | null) =>
    `Engagement ${engagement.name} does not allow logins from ${address ?? "your address"}.${ask(engagement)}`,
  hostNotGranted: (engagement: Engagement, host: string) =>
    `Engagement ${engagement.name} does not include host ${host}.${ask(engagement)}`,
  accountNotGranted: (engagement: Engagement, account: string) =>
    `Engagement ${engagement.name} does not allow account ${printable(account, 64)} here; it allows ${engagement.accounts.slice(0, 10).join(", ")}.`,
  approvalMissing: (engagement: Engagement) =>
    `Engagement ${engagement.name} waits for approval.${ask(engagement)}`,
  revoked: (entry: Revocation, engagement: Engagement) => {
    const what = {
      certificate: "certificate",
      key: "key",
      session: "session",
      member: "access",
      engagement: "engagement",
    }[entry.level];
    const reason = entry.reason === "" ? "" : `: ${printable(entry.reason)}`;
    return `Your ${what} was revoked ${minuteOf(entry.at)} by ${printable(entry.by)}${reason}.${ask(engagement)}`;
  },
  leaseExpired: () =>
    "This host has lost contact with its control plane for too long and admits nobody until it is back. Try again later.",
  recorderUnavailable: () =>
    "Sessions cannot be recorded on this host right now, so none may start. Try again in a minute.",
  spoolFull: () =>
    "This host has no room left to record a session, so none may start. Tell the host's administrators.",
  accountUnsafe: (account: string) =>
    `Account ${printable(account, 64)} cannot be used safely on this host. Tell the host's administrators to run: sallyport-agent doctor`,
} as const;

function describeHours(engagement: Engagement): string {
  if (engagement.hours === null) return "at any time";
  const windows = engagement.hours.windows.map(
    (window) => `${window.days.join(" ")} ${window.from}–${window.to}`,
  );
  return `${windows.slice(0, 10).join(", ")} (${engagement.hours.timeZone})`;
}
