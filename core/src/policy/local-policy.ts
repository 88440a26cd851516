import { z } from "zod";
import { CommandGrant } from "../commands/command-rule.ts";
import { FileGrant } from "../files/file-grant.ts";
import { AccountName, DisplayText, ShortName } from "../names.ts";
import { Engagement, Hours, MfaLevel, Network, SessionMode } from "./engagement.ts";
import { Forwarding, SessionLimits } from "./grants.ts";

/** What the host's administrator keeps out, whatever the bundle says. */
const Deny = z.strictObject({
  /** Every contractor. */
  all: z.literal(true).optional(),
  vendors: z.array(ShortName).max(1_000).default([]),
  /** Ids of members, or their e-mail addresses as the policy has them. */
  members: z.array(DisplayText.min(1)).max(10_000).default([]),
  /** Names of engagements. */
  engagements: z.array(ShortName).max(1_000).default([]),
});

/**
 * One file of `/etc/sallyport/policy.d`: what the administrator of this host leaves of what the bundle allows. Every part
 * is optional and can only take away; a value that would give something (`sudo` to those without, `input: false`) is
 * either without effect or refused by the schema. Several files apply together: what one takes away stays away.
 */
export const LocalPolicy = z.strictObject({
  version: z.literal(1),
  deny: Deny.optional(),
  /** The only accounts that contractors may use here, personal ones among them. */
  accounts: z.array(AccountName).max(1_000).optional(),
  hours: Hours.optional(),
  /** Networks that logins may come from. */
  sources: z.array(Network).min(1).max(1_000).optional(),
  mfa: z
    .strictObject({
      level: MfaLevel.default("none"),
      maxAge: Engagement.shape.mfa.shape.maxAge.default(null),
    })
    .optional(),
  limits: SessionLimits.optional(),
  /** Modes of engagements that may be used here; a `shell` that `commands` narrows is one of `commands`. */
  modes: z.array(SessionMode).max(3).optional(),
  /**
   * Commands that this list allows too, of engagements in mode `commands`; of a `shell` it leaves these alone. How they run is
   * the engagement's say, but for the lower limits.
   */
  commands: CommandGrant.superRefine(({ rules }, context) => {
    const index = rules.findIndex(({ runAs }) => runAs !== undefined);
    const message = "a local policy takes away, it gives no sudo: leave `runAs` out";
    if (index >= 0) context.addIssue({ code: "custom", path: ["rules", index, "runAs"], message });
  }).optional(),
  /** What may be moved of what modes `commands` and `files` let be moved: nothing, or what this grant allows too. */
  files: z.union([z.literal("none"), FileGrant]).optional(),
  /** The most that may be forwarded: nothing, or what is named here. */
  forwarding: z.union([z.literal("none"), Forwarding]).optional(),
  /** The most that sudo may give. Under `listed`, an engagement with full sudo gives none: it lists no commands. */
  sudo: z.enum(["none", "listed", "full"]).optional(),
  recording: z
    .strictObject({ input: z.literal(true).optional(), durability: z.literal("strict").optional() })
    .optional(),
  /** Shared accounts with an unsafe login shell stay closed. */
  acceptUnsafeShell: z.literal(false).optional(),
});
export type LocalPolicy = z.infer<typeof LocalPolicy>;

/** What holds where a file cannot be read and none is known that could: no contractor gets in. */
export const DENY_ALL: LocalPolicy = LocalPolicy.parse({ version: 1, deny: { all: true } });
