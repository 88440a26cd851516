import { z } from "zod";
import { AccountName } from "../names.ts";

/*
 * What an engagement grants beyond a recorded shell. Every part has the narrowest value as its default, so that a
 * policy which does not speak of it grants nothing.
 */

const PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";
const HOST = "([A-Za-z0-9][A-Za-z0-9.-]{0,252}|\\[[0-9A-Fa-f:.]{2,45}\\])";

/**
 * Where a forwarded connection may go: `host:port`, `[2001:db8::1]:5432`, port `*` for any. sshd(8), permitopen: hosts
 * are literal. Nothing in it can end the quotes of an authorized_keys option.
 */
export const PermitOpen = z
  .string()
  .regex(new RegExp(`^${HOST}:(${PORT}|\\*)$`), "a destination is HOST:PORT, with * for any port")
  .brand<"PermitOpen">();
export type PermitOpen = z.infer<typeof PermitOpen>;

/** Where a remote forwarding may listen: `port` or `host:port` (sshd(8), permitlisten). */
export const PermitListen = z
  .string()
  .regex(new RegExp(`^(${HOST}:)?(${PORT})$`), "a listening address is PORT or HOST:PORT")
  .brand<"PermitListen">();
export type PermitListen = z.infer<typeof PermitListen>;

/** Forwarding, all of it off unless granted. */
export const Forwarding = z.strictObject({
  local: z.array(PermitOpen).max(100).default([]),
  remote: z.array(PermitListen).max(100).default([]),
  agent: z.boolean().default(false),
  x11: z.boolean().default(false),
});
export type Forwarding = z.infer<typeof Forwarding>;

const DAY = 86_400;

/** Limits of a session; null means none. */
export const SessionLimits = z.strictObject({
  /** Seconds without input after which a session ends. */
  idle: z.int().min(30).max(DAY).nullable().default(null),
  /** Seconds after which a session ends, whatever it does. */
  longest: z
    .int()
    .min(60)
    .max(30 * DAY)
    .nullable()
    .default(null),
  /** Sessions that one member may have at the same time on one host. */
  concurrent: z.int().min(1).max(1000).nullable().default(null),
});
export type SessionLimits = z.infer<typeof SessionLimits>;

const NO_CONTROL = /^[^\p{Cc}\p{Zl}\p{Zp}]*$/u;

/** One command that sudo may run: an absolute program, and its arguments word for word; null leaves them open. */
export const SudoCommand = z.strictObject({
  program: z
    .string()
    .max(1024)
    .regex(/^\/[^\p{Cc}*?[\]\\,:= ]+$/u, "a program is an absolute path without blanks and wildcards"),
  arguments: z.array(z.string().min(1).max(1024).regex(NO_CONTROL)).max(100).nullable().default([]),
  /** Whom it runs as. */
  runAs: AccountName.default("root" as AccountName),
});
export type SudoCommand = z.infer<typeof SudoCommand>;

/** What sudo(8) gives: nothing, listed commands, or everything. Only personal accounts can have it. */
export const Privilege = z.discriminatedUnion("sudo", [
  z.strictObject({ sudo: z.literal("none") }),
  z.strictObject({ sudo: z.literal("listed"), commands: z.array(SudoCommand).min(1).max(200) }),
  z.strictObject({ sudo: z.literal("full") }),
]);
export type Privilege = z.infer<typeof Privilege>;

/** Accounts of their own for the members, made on each host and locked when the engagement ends. */
export const PersonalAccounts = z.strictObject({
  /** Groups of the host that the account is put in besides its own; those that the host lacks are left out, loudly. */
  groups: z.array(AccountName).max(50).default([]),
  /** What happens to the home directory afterwards. */
  home: z.enum(["archive", "keep", "delete"]).default("archive"),
});
export type PersonalAccounts = z.infer<typeof PersonalAccounts>;

/** How sessions are recorded. */
export const RecordingOptions = z.strictObject({
  /** Record what is typed; never what is typed while the terminal's echo is off. */
  input: z.boolean().default(true),
  /** `strict`: nothing is shown of a block before the block before it is on the disk. */
  durability: z.enum(["normal", "strict"]).default("normal"),
});
export type RecordingOptions = z.infer<typeof RecordingOptions>;
