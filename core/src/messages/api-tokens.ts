import { z } from "zod";
import { DisplayText, EpochSeconds } from "../names.ts";

/*
 * API tokens for programs, under /tokens. A token may do what its scopes and the roles of whoever made it both allow, at each
 * request anew.
 */

/** `POST /tokens`. */
export const TokenRequest = z.strictObject({
  /** What it is for; shown in the list. */
  name: DisplayText.min(1).max(100),
  /** Permissions such as `engagements:write`. */
  scopes: z.array(z.string().max(64)).min(1).max(50),
  /** At most a year from now. */
  expiresAt: EpochSeconds,
});
export type TokenRequest = z.infer<typeof TokenRequest>;

/** A token in `GET /tokens`; never its secret. */
export const TokenView = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.enum(["scoped", "bootstrap"]),
  scopes: z.array(z.string()),
  /** Who made it. */
  owner: z.object({ issuer: z.string(), subject: z.string(), name: z.string() }),
  createdAt: EpochSeconds,
  expiresAt: EpochSeconds,
  /** To the minute. */
  lastUsedAt: EpochSeconds.nullable(),
});
export type TokenView = z.infer<typeof TokenView>;

/** Answer to `POST /tokens`: the only place where the token itself is shown. */
export const MadeToken = z.object({
  id: z.string(),
  token: z.string().max(200),
  createdAt: EpochSeconds,
  expiresAt: EpochSeconds,
});
export type MadeToken = z.infer<typeof MadeToken>;
