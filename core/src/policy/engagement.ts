import { z } from "zod";
import { CommandGrant } from "../commands/command-rule.ts";
import { FileGrant } from "../files/file-grant.ts";
import { AccountName, DisplayText, EpochSeconds, HostName, Id, ShortName } from "../names.ts";
import { Forwarding, PersonalAccounts, Privilege, RecordingOptions, SessionLimits } from "./grants.ts";

/** How sure the IdP was of the person: `none` < `mfa` < `phishing-resistant`. */
export const MfaLevel = z.enum(["none", "mfa", "phishing-resistant"]);
export type MfaLevel = z.infer<typeof MfaLevel>;

const Weekday = z.enum(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
export type Weekday = z.infer<typeof Weekday>;
const ClockTime = z.string().regex(/^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$/, "a time of day is HH:MM");

/** Weekly hours in one time zone; a window never spans midnight (write two). */
export const Hours = z.strictObject({
  timeZone: z.string().max(64).refine(isTimeZone, "not an IANA time zone"),
  windows: z
    .array(
      z
        .strictObject({ days: z.array(Weekday).min(1).max(7), from: ClockTime, to: ClockTime })
        .refine(({ from, to }) => from < to, "a window ends after it begins, on the same day"),
    )
    .min(1)
    .max(50),
});
export type Hours = z.infer<typeof Hours>;

/** What a session may be. */
export const SessionMode = z.enum(["shell", "commands", "files"]);
export type SessionMode = z.infer<typeof SessionMode>;

/** An IPv4 or IPv6 network in CIDR form; a bare address means that one address. */
export const Network = z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()]);

/** Which hosts: by name, or by labels (all of them must match). A host that fits either is meant. */
export const HostSelector = z.strictObject({
  names: z.array(HostName).max(10_000).default([]),
  labels: z.record(ShortName, z.string().max(128)).default({}),
});
export type HostSelector = z.infer<typeof HostSelector>;

const DAY = 86_400;
/** `idpGrace` where an engagement says nothing, in seconds. */
export const IDP_GRACE = 900;

/** Whether somebody has to say yes: never, once before the engagement counts, or for each member before they log in. */
export const Approval = z.strictObject({
  rule: z.enum(["none", "activation", "login"]).default("none"),
  /** How many people have to say yes. */
  approvers: z.int().min(1).max(10).default(1),
  /** Seconds for which a member may log in once it was approved; rule `login`. */
  lasts: z
    .int()
    .min(60)
    .max(30 * DAY)
    .default(DAY / 3),
  /** A request has to name a ticket. */
  ticket: z.boolean().default(false),
  /** Rule `activation`: it was approved. */
  approved: z.boolean(),
  /** Rule `login`: who may log in until when. One that is over stays as long as a session that it let in can last. */
  granted: z
    .array(z.strictObject({ member: Id, until: EpochSeconds }))
    .max(10_000)
    .default([]),
});
export type Approval = z.infer<typeof Approval>;

/**
 * The central object: what members of one vendor may do, where, as whom and when. Everything a contractor may do
 * hangs on one, and ends with it. Times are seconds since the epoch.
 */
export const Engagement = z.strictObject({
  id: Id,
  name: ShortName,
  vendor: ShortName,
  /** Ids of members, see {@link Member}. */
  members: z.array(Id).max(10_000),
  hosts: HostSelector,
  /** Accounts of the hosts that members share; may be empty where they have personal ones. */
  accounts: z.array(AccountName).max(1_000),
  /** Null where members get no accounts of their own. */
  personal: PersonalAccounts.nullable().default(null),
  privilege: Privilege.default({ sudo: "none" }),
  /** What a session may be: a full shell, the commands of a list, or the moving of files. */
  mode: SessionMode,
  /** Mode `commands`: the list; null in the other modes. */
  commands: CommandGrant.nullable().default(null),
  /** What files may be moved, in modes `files` and `commands`; null for none. In mode `shell` the account may move its own. */
  files: FileGrant.nullable().default(null),
  forwarding: Forwarding.prefault({}),
  limits: SessionLimits.prefault({}),
  recording: RecordingOptions.prefault({}),
  /** Shared accounts may be used although their login shell runs files of the user before the recorder starts. */
  acceptUnsafeShell: z.boolean().default(false),
  mfa: z.strictObject({
    level: MfaLevel,
    /** Oldest `auth_time` accepted, in seconds; null accepts any. */
    maxAge: z.int().min(60).max(2_592_000).nullable(),
  }),
  hours: Hours.nullable(),
  /** Networks that logins may come from; empty means any. */
  sources: z.array(Network).max(1_000),
  start: EpochSeconds,
  end: EpochSeconds,
  /** Set when it was ended before its time. */
  ended: z.strictObject({ at: EpochSeconds, by: DisplayText, reason: DisplayText }).nullable(),
  approval: Approval,
  /** Whether logins without a key-bound ID token (device code, gateway) are accepted: a lower assurance. */
  assurance: z.enum(["bound", "brokered"]).default("bound"),
  /** Longest life of its certificates in seconds; null leaves it to the control plane. */
  certificateLifetime: z.int().min(60).max(DAY).nullable().default(null),
  /** Seconds for which certificates are renewed and logins go on while the IdP cannot be asked whether the person is still theirs. */
  idpGrace: z.int().min(60).max(DAY).default(IDP_GRACE),
  /** E-mail, in lower case, of who in the company answers for it. */
  sponsor: DisplayText.nullable().default(null),
  /** Whom a contractor asks, shown with every refusal. */
  contact: DisplayText,
});
export type Engagement = z.infer<typeof Engagement>;

/** A person of a vendor; identity is (issuer, subject), pinned at the first login. */
export const Member = z.strictObject({
  id: Id,
  name: DisplayText,
  email: DisplayText.nullable(),
  vendor: ShortName,
  identities: z.array(z.strictObject({ issuer: z.url(), subject: z.string().min(1).max(255) })).max(20),
  /** Name of this person's own account on hosts that give personal accounts. */
  account: AccountName.nullable().default(null),
});
export type Member = z.infer<typeof Member>;

/** Names that are time zones; asking takes as long as all the rest of an engagement. There are some 600, in any case. */
const timeZones = new Set<string>();
const MAX_TIME_ZONES = 2000;

function isTimeZone(name: string): boolean {
  if (timeZones.has(name)) return true;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    if (timeZones.size < MAX_TIME_ZONES) timeZones.add(name);
    return true;
  } catch {
    return false;
  }
}
