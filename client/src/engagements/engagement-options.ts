import { SallyportError } from "@sallyport/core/errors.ts";
import type { Command } from "commander";

/** The usual fields of an engagement as options; all others come by --file. */
export interface EngagementOptions {
  vendor?: string;
  member?: string[];
  addMember?: string[];
  removeMember?: string[];
  host?: string[];
  label?: string[];
  account?: string[];
  addAccount?: string[];
  removeAccount?: string[];
  addHost?: string[];
  removeHost?: string[];
  personal?: boolean;
  sudo?: "none" | "full";
  mfa?: string;
  source?: string[];
  start?: string;
  end?: string;
  sponsor?: string;
  contact?: string;
  approval?: string;
  approvers?: string;
  idpGrace?: string;
}

type Fields = Record<string, unknown>;

/** Adds the options to a command; those that add and take away only where there is something to begin with. */
export function addEngagementOptions(command: Command, kind: "create" | "edit"): Command {
  command
    .option("--vendor <vendor>", "all members are of this vendor")
    .option("--member <e-mail...>", "the members")
    .option("--host <name...>", "hosts by name")
    .option("--label <key=value...>", "hosts by labels, which must all match")
    .option("--account <name...>", "accounts of the hosts that members share")
    .option("--personal", "accounts of their own for the members")
    .option("--no-personal", "no accounts of their own")
    .option("--sudo <none|full>", "what sudo gives personal accounts; a list of commands comes by --file")
    .option("--mfa <level>", "none, mfa or phishing-resistant")
    .option("--source <network...>", "networks that logins may come from")
    .option("--start <time>", "first moment of access, like 2026-11-01T09:00:00Z, or a date")
    .option("--end <time>", "access ends by itself at this moment")
    .option("--sponsor <e-mail>", "who in the company answers for it")
    .option("--contact <text>", "whom a contractor asks")
    .option("--approval <rule>", "none, activation or login")
    .option("--approvers <number>", "how many people have to say yes")
    .option(
      "--idp-grace <time>",
      "how long logins go on while the identity provider does not answer, like 15m or 1h",
    );
  if (kind === "create") return command;
  return command
    .option("--add-member <e-mail...>", "these as well")
    .option("--remove-member <e-mail...>", "these no longer")
    .option("--add-host <name...>", "these as well")
    .option("--remove-host <name...>", "these no longer")
    .option("--add-account <name...>", "these as well")
    .option("--remove-account <name...>", "these no longer");
}

/** What the options say, as a JSON Merge Patch on `current` as it is written. Empty without options. Code `usage`. */
export function patchOf(options: EngagementOptions, current: Fields = {}): Fields {
  const hosts = {
    ...defined({
      names: list(options.host, options.addHost, options.removeHost, (current.hosts as Fields)?.names),
    }),
    ...(options.label === undefined
      ? {}
      : { labels: labelsPatch(options.label, (current.hosts as Fields)?.labels) }),
  };
  const approval = defined({
    rule: options.approval,
    approvers: options.approvers === undefined ? undefined : Number(options.approvers),
  });
  return defined({
    ...{ vendor: options.vendor, start: options.start, end: options.end },
    ...{ sponsor: options.sponsor, contact: options.contact, sources: options.source },
    members: list(
      options.member?.map(lower),
      options.addMember?.map(lower),
      options.removeMember?.map(lower),
      current.members,
    ),
    accounts: list(options.account, options.addAccount, options.removeAccount, current.accounts),
    hosts: Object.keys(hosts).length === 0 ? undefined : hosts,
    personal: personalPatch(options.personal, current.personal),
    privilege: sudoPatch(options.sudo),
    mfa: options.mfa === undefined ? undefined : { level: options.mfa },
    approval: Object.keys(approval).length === 0 ? undefined : approval,
    idpGrace: options.idpGrace === undefined ? undefined : seconds("--idp-grace", options.idpGrace),
  });
}

function list(
  whole: readonly string[] | undefined,
  added: readonly string[] = [],
  removed: readonly string[] = [],
  current: unknown = [],
): string[] | undefined {
  if (whole === undefined && added.length + removed.length === 0) return undefined;
  const base = whole ?? (Array.isArray(current) ? current.map(String) : []);
  const missing = removed.find((one) => !base.includes(one));
  if (missing !== undefined)
    throw new SallyportError("usage", `${JSON.stringify(missing)} is not there to be taken away.`);
  return [...new Set([...base.filter((one) => !removed.includes(one)), ...added])];
}

/** The labels that are given, and none of those that were there. */
function labelsPatch(given: readonly string[], current: unknown): Fields {
  const gone = Object.keys((current as Fields | undefined) ?? {}).map((name) => [name, null]);
  return Object.fromEntries([...gone, ...given.map(splitLabel)]);
}

function splitLabel(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new SallyportError("usage", `--label takes KEY=VALUE, not ${JSON.stringify(text)}.`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function personalPatch(wanted: boolean | undefined, current: unknown): object | null | undefined {
  if (wanted === undefined) return undefined;
  if (!wanted) return null;
  return typeof current === "object" && current !== null ? undefined : {};
}

function sudoPatch(sudo: string | undefined): object | undefined {
  if (sudo === undefined) return undefined;
  if (sudo !== "none" && sudo !== "full")
    throw new SallyportError("usage", "--sudo takes none or full; a list of commands comes by --file.");
  return { sudo, commands: null };
}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600 };

/** A length of time as people write it: `15m`, `90s`, `1h`, or seconds. */
function seconds(name: string, text: string): number {
  const [, digits = "", unit = "s"] = /^([0-9]{1,6})([smh])?$/.exec(text) ?? [];
  if (digits !== "") return Number(digits) * (UNITS[unit] ?? 1);
  throw new SallyportError("usage", `${name} takes a time like 15m, 90s or 1h, not ${JSON.stringify(text)}.`);
}

function defined(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function lower(text: string): string {
  return text.toLowerCase();
}
