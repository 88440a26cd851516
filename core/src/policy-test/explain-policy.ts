import type { CommandGrant } from "../commands/command-rule.ts";
import { CommandRules } from "../commands/match.ts";
import { IDP_GRACE } from "../policy/engagement.ts";
import type { PolicyEngagement } from "../policy/policy-engagement.ts";
import type { PolicyFile } from "../policy/policy-file.ts";
import { isoSeconds } from "../policy/written-engagement.ts";
import { explainFiles } from "./explain-files.ts";

/** One engagement in words. */
export interface Explanation {
  engagement: string;
  /** Where it stands in the file. */
  path: readonly PropertyKey[];
  /** By topic, in the order in which people ask: who, where, as whom, when, what. */
  sentences: { topic: string; text: string }[];
  /** Mode `commands`: each rule, and `how` it runs where that is not as the account and without limits. */
  commands: { name: string; usage: string; description: string | null; how: string }[];
}

/** Who may do what, where, until when: the engagements of a file, or those of one member or host. */
export function explainPolicy(
  file: PolicyFile,
  only: { member?: string | undefined; host?: string | undefined; labels: Readonly<Record<string, string>> },
): Explanation[] {
  const member = only.member?.toLowerCase();
  return file.engagements.flatMap((engagement, index): Explanation[] => {
    if (member !== undefined && !engagement.members.some((one) => one === member)) return [];
    if (only.host !== undefined && !means(engagement.hosts, only.host, only.labels)) return [];
    return [explain(engagement, index, file)];
  });
}

function means(
  { names, labels }: PolicyEngagement["hosts"],
  host: string,
  its: Readonly<Record<string, string>>,
): boolean {
  const wanted = Object.entries(labels);
  const byLabels =
    wanted.length > 0 && wanted.every(([label, value]) => Object.hasOwn(its, label) && its[label] === value);
  return byLabels || names.some((name) => name === host);
}

function explain(engagement: PolicyEngagement, index: number, file: PolicyFile): Explanation {
  const { mode, commands } = engagement;
  const all = [
    ["who", who(engagement, file)],
    ["where", where(engagement)],
    ["as", asWhom(engagement)],
    ["when", when(engagement)],
    ["sign-in", signIn(engagement)],
    ["approval", approval(engagement)],
    ["what", WHAT[mode]],
    ["confinement", commands === null ? "" : confinement(commands.confinement)],
    ["files", engagement.files === null ? "" : explainFiles(engagement.files)],
    ["sudo", sudo(engagement)],
    ["forwarding", forwarding(engagement)],
    ["limits", limits(engagement)],
    ["ask", engagement.contact],
  ] as const;
  return {
    engagement: engagement.name,
    path: ["engagements", index],
    sentences: all.flatMap(([topic, text]) => (text === "" ? [] : [{ topic, text }])),
    commands: commands === null ? [] : explainCommands(commands),
  };
}

/** Each rule of a list, in its order. */
export function explainCommands(grant: CommandGrant): Explanation["commands"] {
  return new CommandRules([grant]).usages().map((usage, index) => {
    const { runAs, timeLimit, outputLimit } = grant.rules[index] ?? {};
    const how = [
      ...(runAs === undefined ? [] : [`as ${runAs} by sudo, not confined`]),
      ...(timeLimit === undefined ? [] : [`at most ${time(timeLimit)}`]),
      ...(outputLimit === undefined ? [] : [`at most ${outputLimit} bytes of output`]),
    ];
    return { ...usage, how: how.join(", ") };
  });
}

const WHAT = {
  shell: "a shell: whatever the account may; recorded",
  commands: "only these commands, alone or piped into one another, each recorded:",
  files: "no commands; files are moved, and each is written down with its digest",
} as const;

function who({ members, vendor }: PolicyEngagement, file: PolicyFile): string {
  const names = new Map(file.members.map(({ email, name }) => [email, name]));
  const list = members.map((email) => {
    const name = names.get(email);
    return name === undefined ? email : `${name} <${email}>`;
  });
  return list.length === 0 ? `nobody yet (vendor ${vendor})` : `${some(list)} of ${vendor}`;
}

function where({ hosts }: PolicyEngagement): string {
  const labels = Object.entries(hosts.labels).map(([label, value]) => `${label}=${value}`);
  const byLabels = labels.length === 0 ? [] : [`every host with ${labels.join(" and ")}`];
  return [...(hosts.names.length === 0 ? [] : [some(hosts.names)]), ...byLabels].join("; ");
}

function asWhom({ accounts, personal }: PolicyEngagement): string {
  const own =
    personal === null
      ? []
      : [
          personal.groups.length === 0
            ? "an account of their own"
            : `an account of their own, in the groups ${personal.groups.join(", ")}`,
        ];
  return [...own, ...accounts].join(", ");
}

function when({ start, end, hours, sources }: PolicyEngagement): string {
  const weekly =
    hours === null
      ? ""
      : `; ${hours.windows.map(({ days, from, to }) => `${days.join(" ")} ${from} to ${to}`).join(", ")} (${hours.timeZone})`;
  const from = sources.length === 0 ? "" : `; from ${some(sources)} only`;
  return `from ${isoSeconds(start)} until ${isoSeconds(end)}${weekly}${from}`;
}

function signIn({ mfa, assurance, idpGrace }: PolicyEngagement): string {
  const level = {
    none: "with a password alone",
    mfa: "with a second factor",
    "phishing-resistant": "with a phishing-resistant factor",
  }[mfa.level];
  const age = mfa.maxAge === null ? "" : `, not longer than ${time(mfa.maxAge)} ago`;
  const brokered = assurance === "brokered" ? "; on another device will do (brokered)" : "";
  const silence =
    idpGrace === IDP_GRACE
      ? ""
      : `; good for ${time(idpGrace)} when the identity provider does not answer any more`;
  return `${level}${age}${brokered}${silence}`;
}

function approval({ approval, sponsor }: PolicyEngagement): string {
  const { rule, approvers, lasts, ticket } = approval;
  if (rule === "none") return "";
  const by = `${approvers === 1 ? "one person" : `${approvers} people`}${sponsor === null ? "" : ` (sponsor: ${sponsor})`}`;
  const named = ticket ? "; a request names a ticket" : "";
  return rule === "activation"
    ? `${by} must approve before anybody logs in${named}`
    : `${by} must approve each member, for ${time(lasts)} at a time${named}`;
}

function confinement(value: "available" | "required"): string {
  return value === "required"
    ? "by the kernel; a host that cannot runs nothing"
    : "by the kernel where it can; elsewhere by the list alone";
}

function sudo({ privilege }: PolicyEngagement): string {
  if (privilege.sudo === "none") return "";
  if (privilege.sudo === "full") return "everything, as anybody";
  return privilege.commands
    .map(({ program, arguments: args, runAs }) => `${[program, ...(args ?? ["…"])].join(" ")} as ${runAs}`)
    .join("; ");
}

function forwarding({ forwarding }: PolicyEngagement): string {
  const { local, remote, agent, x11 } = forwarding;
  return [
    ...(local.length === 0 ? [] : [`to ${local.join(", ")}`]),
    ...(remote.length === 0 ? [] : [`listening on ${remote.join(", ")}`]),
    ...(agent ? ["ssh-agent"] : []),
    ...(x11 ? ["X11"] : []),
  ].join("; ");
}

function limits({ limits: { idle, longest, concurrent } }: PolicyEngagement): string {
  return [
    ...(idle === null ? [] : [`ends after ${time(idle)} without input`]),
    ...(longest === null ? [] : [`lasts ${time(longest)} at most`]),
    ...(concurrent === null ? [] : [`${concurrent} at a time on a host`]),
  ].join("; ");
}

/** The first ten, and how many more. */
function some(list: readonly string[]): string {
  const most = 10;
  return list.length <= most
    ? list.join(", ")
    : `${list.slice(0, most).join(", ")} and ${list.length - most} more`;
}

function time(seconds: number): string {
  if (seconds % 86_400 === 0) return plural(seconds / 86_400, "day");
  if (seconds % 3600 === 0) return plural(seconds / 3600, "hour");
  return seconds % 60 === 0 ? plural(seconds / 60, "minute") : plural(seconds, "second");
}

function plural(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
