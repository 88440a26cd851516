import { printable } from "@sallyport/core/terminal-text.ts";
import type { StatusDocument } from "./status-document.ts";
import { bytesText, plural, spanText } from "./units.ts";

const LABEL_WIDTH = 10;

/** The document for people: one line for each matter, one for each session. `now` in seconds since the epoch. */
export function statusText(status: StatusDocument, now: number): string {
  const { policy, spool, outbox, recorders, sessions } = status;
  const drop = outbox.dropped > 0 ? `, ${outbox.dropped} lost` : "";
  const lines: [string, string][] = [
    ["host", `${status.host.name} (${status.host.id})`],
    ["agent", `${status.version}, up ${spanText(now - at(status.startedAt))} (pid ${status.pid})`],
    [
      "policy",
      policy
        ? `version ${policy.version} of ${policy.issuedAt}, ${plural(policy.engagements, "engagement")}`
        : "none yet: nobody is admitted",
    ],
    ["lease", leaseText(status.lease)],
    ["revoked", revokedText(status)],
    ["uplink", uplinkText(status.uplink, now)],
    [
      "spool",
      `${bytesText(spool.bytes)} in ${plural(spool.recordings, "recording")}, ${bytesText(spool.freeBytes)} free`,
    ],
    ["events", `${outbox.waiting} waiting${drop}`],
    [
      "recorders",
      recorders.length === 0 ? "none: nobody is admitted" : recorders.map(recorderText).join(", "),
    ],
  ];
  if (status.revocations.aside !== null) lines.push(["lease", asideText(status.revocations.aside)]);
  for (const { issuer, keys } of status.issuers)
    if (keys === 0) lines.push(["keys", `none of ${issuer}: its people cannot log in`]);
  if (spool.rejected > 0) lines.push(["set aside", plural(spool.rejected, "recording")]);
  if (status.clock?.setBack) lines.push(["clock", "was set back"]);
  for (const { peer, seconds } of status.clock?.skew ?? [])
    if (Math.abs(seconds) > 1) lines.push(["clock", `${peer} is ${aheadText(seconds)}`]);
  for (const error of status.localPolicy?.errors ?? []) lines.push(["policy.d", error]);
  lines.push(["sessions", sessions.length === 0 ? "none" : String(sessions.length)]);
  const table = lines.map(([label, text]) => `${label.padEnd(LABEL_WIDTH)} ${printable(text, 500)}\n`);
  return table.join("") + sessions.map((session) => `  ${sessionText(session, now)}\n`).join("");
}

function revokedText({ revocationSequence, revocations }: StatusDocument): string {
  const { entries, behind } = revocations;
  const missing = behind > 0 ? `, ${behind} MISSING` : "";
  return `up to number ${revocationSequence}, ${plural(entries, "target")}${missing}`;
}

/** Why a lease that is here does not count. */
function asideText({ sequence, standing }: NonNullable<StatusDocument["revocations"]["aside"]>): string {
  const why = {
    behind: `revocations up to number ${sequence} have not come yet`,
    differs: `its revocation list, up to number ${sequence}, is another one; the whole list was asked for`,
    unknown: `its revocation list, up to number ${sequence}, is too old to compare`,
  };
  return `a newer one does not count: ${why[standing]}`;
}

function leaseText(lease: StatusDocument["lease"]): string {
  if (lease === null) return "none";
  return lease.seconds > 0
    ? `${spanText(lease.seconds)} left, until ${lease.until}`
    : `ran out ${spanText(-lease.seconds)} ago: nobody is admitted until the control plane is back`;
}

function uplinkText({ url, connectedSince, lastError }: StatusDocument["uplink"], now: number): string {
  if (connectedSince !== null) return `connected to ${url} for ${spanText(now - at(connectedSince))}`;
  return `NOT connected to ${url}${lastError === null ? "" : `: ${lastError}`}`;
}

function recorderText({ pid, version, sessions, draining }: StatusDocument["recorders"][number]): string {
  return `${pid} (${plural(sessions, "session")}${draining ? `, version ${version}, draining` : ""})`;
}

function sessionText(session: StatusDocument["sessions"][number], now: number): string {
  const { id, member, engagement, account, kind, since, sourceAddress } = session;
  const from = sourceAddress === null ? "" : ` from ${sourceAddress}`;
  return printable(
    `${id}  ${member} as ${account}${from}, ${engagement}, ${kind}, ${spanText(now - at(since))}`,
    500,
  );
}

/** How another party's clock stands to ours. */
export function aheadText(seconds: number): string {
  return `${spanText(Math.abs(seconds))} ${seconds > 0 ? "ahead of" : "behind"} this host`;
}

function at(moment: string): number {
  return Date.parse(moment) / 1000;
}
