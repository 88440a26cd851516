import type {
  HostCounts,
  HostEffect,
  RevocationDetail,
  RevocationView,
} from "@sallyport/core/messages/revocations.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { RevocationAnswer } from "../api/control-plane.ts";
import { isoTime } from "./json.ts";
import { table } from "./table.ts";
import { fromNow, localTime } from "./time.ts";

/** Most hosts and sessions that a text names; programs take --json. */
const MOST_NAMED = 20;

/** How many hosts are how far, where the control plane has not counted. */
export function countsOf(hosts: readonly HostEffect[]): HostCounts {
  const count = (standing: HostEffect["standing"]) =>
    hosts.filter((host) => host.standing === standing).length;
  const [has, asked, cutOff, noLease] = [count("has"), count("asked"), count("cut-off"), count("no-lease")];
  return { all: hosts.length, has, asked, cutOff, noLease };
}

/** `1,994 of 2,000 hosts have it` */
export function haveIt({ all, has }: HostCounts): string {
  return `${number(has)} of ${number(all)} ${all === 1 ? "host has" : "hosts have"} it`;
}

/** Times, and what else is known, of a text about hosts. */
interface TextOptions {
  now: number;
  /** It gives access back: hosts without it go on refusing. */
  isLifting?: boolean;
  /** Sessions that it ended, besides those that hosts tell of. */
  ended?: readonly string[];
  /** The moment from which nobody gets in anywhere. */
  until?: number;
}

/** Which hosts have it, what it ended, and of each that does not have it from when on nobody gets in there. Short, however many hosts there are. */
export function hostsText(
  { id, counts, hosts }: Pick<RevocationDetail, "id" | "counts" | "hosts">,
  { now, isLifting = false, ended = [], until }: TextOptions,
): string {
  if (counts.all === 0) return "There are no hosts yet.\n";
  const lines = [`${haveIt(counts)}.`];
  const sessions = new Set([...ended, ...hosts.flatMap(({ endedSessions }) => endedSessions)]);
  if (!isLifting) lines.push(endedText([...sessions]));
  if (counts.noLease > 0)
    lines.push(`${hostCount(counts.noLease)} without it and without a lease: nobody gets in there.`);
  const missing = hosts.filter(({ standing }) => standing === "asked" || standing === "cut-off");
  if (missing.length > 0) lines.push(`${hostCount(missing.length)} without it:`);
  for (const host of missing.slice(0, MOST_NAMED))
    lines.push(`  ${printable(host.host)}: ${missingText(host, now, isLifting)}`);
  if (missing.length > MOST_NAMED)
    lines.push(
      `  and ${number(missing.length - MOST_NAMED)} more; all of them: sallyport revocations show ${printable(id)} --json`,
    );
  if (until !== undefined && missing.length > 0)
    lines.push(`From ${localTime(until)} on nobody gets in anywhere, whatever comes.`);
  return `${lines.join("\n")}\n`;
}

function endedText(sessions: readonly string[]): string {
  if (sessions.length === 0) return "No session had to end.";
  const named = sessions.slice(0, MOST_NAMED).map((session) => printable(session));
  const more = sessions.length > MOST_NAMED ? `, and ${number(sessions.length - MOST_NAMED)} more` : "";
  return `Ended ${number(sessions.length)} ${sessions.length === 1 ? "session" : "sessions"}: ${named.join(", ")}${more}.`;
}

function missingText({ standing, leaseUntil }: HostEffect, now: number, isLifting: boolean): string {
  const where = standing === "asked" ? "connected, and has not answered yet" : "CUT OFF";
  if (isLifting) return `${where}; it goes on refusing until it hears of it`;
  if (leaseUntil === null) return where;
  return `${where}; may admit until its lease ends, ${localTime(leaseUntil)} (${fromNow(leaseUntil, now)})`;
}

/** A table of revocations. */
export function revocationTable(views: readonly RevocationView[], columns: number | undefined): string {
  return table(
    ["ID", "LEVEL", "OF", "SINCE", "BY", "STATE", "REASON"],
    views.map((each) => [
      each.id,
      each.level,
      each.name,
      localTime(each.at),
      each.by,
      stateText(each),
      each.reason,
    ]),
    columns,
  );
}

/** What has become of a revocation. */
export function stateText({ kind, inForce, lifted, before }: RevocationView): string {
  if (kind === "lifting") return "gives access back";
  if (lifted !== null) return `lifted ${localTime(lifted.at)} by ${lifted.by}`;
  if (!inForce) return "made anew since";
  return before === null ? "in force" : `in force for sign-ins before ${localTime(before)}`;
}

/** One revocation and its hosts. */
export function revocationText(detail: RevocationDetail, now: number): string {
  const { id, sequence, level, name, target, at, by, reason, lifted, kind } = detail;
  const rows: [string, string][] = [
    ["Revocation", `${id} (number ${sequence})`],
    ["Of", `${level} ${name}${name === target ? "" : ` (${target})`}`],
    ["Since", `${localTime(at)} by ${by}`],
    ["Reason", reason],
    ["State", stateText(detail)],
    ["Lifted", lifted === null ? "" : `by ${lifted.id}${lifted.reason === "" ? "" : `: ${lifted.reason}`}`],
  ];
  const head = rows
    .filter(([, value]) => value !== "")
    .map(([label, value]) => `${label.padEnd(10)}  ${printable(value, 1000)}\n`);
  return `${head.join("")}${hostsText(detail, { now, isLifting: kind === "lifting" })}`;
}

/** For --json. */
export function revocationJson<T extends RevocationView>(view: T) {
  const lifted = view.lifted && { ...view.lifted, at: isoTime(view.lifted.at) };
  return { ...view, at: isoTime(view.at), before: isoTime(view.before), lifted };
}

/** For --json, with hosts. */
export function revocationDetailJson(detail: RevocationDetail): unknown {
  return { ...revocationJson(detail), hosts: detail.hosts.map(hostJson) };
}

/** For --json. */
export function revocationAnswerJson(answer: RevocationAnswer): unknown {
  return { ...answer, hosts: answer.hosts.map(hostJson) };
}

function hostJson(host: HostEffect): unknown {
  return { ...host, acknowledgedAt: isoTime(host.acknowledgedAt), leaseUntil: isoTime(host.leaseUntil) };
}

function hostCount(count: number): string {
  return `${number(count)} ${count === 1 ? "host is" : "hosts are"}`;
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}
