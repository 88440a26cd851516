import { z } from "zod";
import { DisplayText, EpochSeconds } from "../names.ts";

/** How it stands with an IdP: whether it answers, and what comes from it by itself. Times in seconds since the epoch. */
export const IssuerView = z.object({
  issuer: z.url(),
  name: DisplayText,
  /** How it is asked about people, and how many seconds apart. */
  check: z.object({
    by: z.enum(["refresh", "introspection", "none"]),
    every: z.number(),
    timeout: z.number(),
  }),
  /** Sign-ins whose refresh token is kept, those of them that are asked about now, and those that cannot be asked about any more. */
  signIns: z.object({ kept: z.int(), live: z.int(), lost: z.int() }),
  lastAnswerAt: EpochSeconds.nullable(),
  /** Since when nothing was answered. */
  silentSince: EpochSeconds.nullable(),
  /** Since when hosts know that it is silent: they refuse new logins when the `idpGrace` of an engagement is over. */
  hostsToldAt: EpochSeconds.nullable(),
  failures: z.int(),
  backOffUntil: EpochSeconds.nullable(),
  problem: z.string().nullable(),
  /** Security Event Tokens; null where none are taken. */
  securityEvents: z
    .object({
      status: z.string().nullable(),
      lastReceivedAt: EpochSeconds.nullable(),
      problem: z.string().nullable(),
    })
    .nullable(),
  /** Null where it provisions nobody. */
  scim: z.object({ users: z.int(), lastChangeAt: EpochSeconds.nullable() }).nullable(),
});
export type IssuerView = z.infer<typeof IssuerView>;
