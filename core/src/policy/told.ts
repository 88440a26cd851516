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

// Schemas keep names plain already; what reaches a terminal does not depend on it.
const nameOf = (engagement: Engagement): string => printable(engagement.name, 64);

/** What a mode lets be done, as people say it. */
const MODES = { shell: "a shell", commands: "single commands", files: "the moving of files" } as const;

/** The minute in UTC, as people write it. */
export function minuteOf(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

export const tell = {
  policyMissing: () => "This host has not received its policy yet. Try again in a minute.",
  clockSetBack: () =>
    "The clock of this host is wrong: it was set back, so no time can be judged by it. Tell the host's administrators.",
  notAMember: (bundle: Bundle) =>
    `You are not a member of any engagement on ${printable(bundle.host.name)}. Ask the person who invited you to add you.`,
  assuranceTooLow: (engagement: Engagement) =>
    `Engagement ${nameOf(engagement)} needs a sign-in in a browser on the machine that you connect from; a device sign-in is not enough. Run: sallyport login`,
  mfaRequired: (engagement: Engagement, level: MfaLevel) =>
    `Engagement ${nameOf(engagement)} needs a sign-in with ${engagement.mfa.level === "mfa" ? "a second factor" : "a phishing-resistant factor"}; yours had ${level === "none" ? "none" : "a weaker one"}. Set one up at your identity provider, then run: sallyport login`,
  mfaTooOld: (engagement: Engagement) =>
    `Your sign-in is older than engagement ${nameOf(engagement)} accepts. Run: sallyport login --force`,
  engagementEnded: (engagement: Engagement) => {
    const early = engagement.ended !== null && engagement.ended.at < engagement.end ? engagement.ended : null;
    const at = early?.at ?? engagement.end;
    const reason = early?.reason ? ` (${printable(early.reason)})` : "";
    return `Engagement ${nameOf(engagement)} ended ${minuteOf(at)}${reason}.${ask(engagement)}`;
  },
  engagementNotStarted: (engagement: Engagement) =>
    `Engagement ${nameOf(engagement)} starts ${minuteOf(engagement.start)}. Try again then.${ask(engagement)}`,
  outsideHours: (engagement: Engagement) =>
    `Engagement ${nameOf(engagement)} allows logins only ${describeHours(engagement)}.${ask(engagement)}`,
  sourceAddress: (engagement: Engagement, address: string | null) =>
    `Engagement ${nameOf(engagement)} does not allow logins from ${address === null ? "your address" : printable(address, 64)}.${ask(engagement)}`,
  hostNotGranted: (engagement: Engagement, host: string) =>
    `Engagement ${nameOf(engagement)} does not include host ${printable(host)}.${ask(engagement)}`,
  accountNotGranted: (engagement: Engagement, account: string, allowed: readonly string[]) =>
    `Engagement ${nameOf(engagement)} does not allow account ${printable(account, 64)} here; it allows ${allowed.length === 0 ? "none" : printable(allowed.slice(0, 10).join(", "))}.`,
  approvalMissing: (engagement: Engagement) =>
    engagement.approval.rule === "login"
      ? `Engagement ${nameOf(engagement)} lets you in only once ${approvers(engagement)}. Ask for it with: ${requestLine(engagement)}`
      : `Engagement ${nameOf(engagement)} lets nobody in before ${approvers(engagement)}. Ask for it with: ${requestLine(engagement)}`,
  approvalWithdrawn: (engagement: Engagement) =>
    `The approval for engagement ${nameOf(engagement)} was withdrawn.${ask(engagement)}`,
  localPolicy: (engagement: Engagement, what: string) =>
    `The host's own policy does not allow ${what}, although engagement ${nameOf(engagement)} does. Ask the host's administrators.`,
  modeNotAllowed: (engagement: Engagement, allowed: readonly string[]) =>
    `Engagement ${nameOf(engagement)} gives ${MODES[engagement.mode]}, and the host's own policy allows ${allowed.length === 0 ? "no sessions" : `only ${allowed.map((mode) => MODES[mode as keyof typeof MODES] ?? mode).join(" and ")}`}. Ask the host's administrators.`,
  modeChanged: (engagement: Engagement) =>
    `Engagement ${nameOf(engagement)} gives ${MODES[engagement.mode]} on this host now. Log in again for that.${ask(engagement)}`,
  revoked: (entry: Revocation, engagement: Engagement) => {
    const what = {
      certificate: "certificate",
      key: "key",
      session: "session",
      member: "access",
      engagement: "engagement",
      identity: "access",
      vendor: "vendor's access",
      issuer: "identity provider",
    }[entry.level];
    const reason = entry.reason === "" ? "" : `: ${printable(entry.reason)}`;
    return `Your ${what} was revoked ${minuteOf(entry.at)} by ${printable(entry.by)}${reason}.${ask(engagement)}`;
  },
  idpSilent: (engagement: Engagement, since: number) =>
    `Your identity provider has not answered since ${minuteOf(since)}, so nobody knows whether you may still be here, and engagement ${nameOf(engagement)} waits no longer for it. Try again when it is back.${ask(engagement)}`,
  leaseExpired: () =>
    "This host has lost contact with its control plane for too long and admits nobody until it is back. Try again later.",
  tooManySessions: (engagement: Engagement, running: number) =>
    `Engagement ${nameOf(engagement)} allows ${engagement.limits.concurrent} ${engagement.limits.concurrent === 1 ? "session" : "sessions"} at a time on this host, and you have ${running}. End one, then try again.`,
  recorderUnavailable: () =>
    "Sessions cannot be recorded on this host right now, so none may start. Try again in a minute.",
  spoolFull: () =>
    "This host has no room left to record a session, so none may start. Tell the host's administrators.",
  accountUnsafe: (account: string) =>
    `Account ${printable(account, 64)} cannot be used safely on this host. Tell the host's administrators.`,
} as const;

/** Who has to say yes, as a clause. */
function approvers({ approval, sponsor }: Engagement): string {
  const who = sponsor ? `${printable(sponsor)} or an approver` : "an approver";
  return approval.approvers > 1
    ? `${approval.approvers} people have approved it (${who})`
    : `${who} has approved it`;
}

/** What to type, ready to be copied. */
function requestLine(engagement: Engagement): string {
  return `sallyport request ${nameOf(engagement)} --reason "…"${engagement.approval.ticket ? " --ticket …" : ""}`;
}

function describeHours(engagement: Engagement): string {
  if (engagement.hours === null) return "at any time";
  const windows = engagement.hours.windows.map(
    (window) => `${window.days.join(" ")} ${window.from}–${window.to}`,
  );
  return `${windows.slice(0, 10).join(", ")} (${printable(engagement.hours.timeZone, 64)})`;
}
