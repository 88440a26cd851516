import { z } from "zod";
import { DisplayText, EpochSeconds } from "../names.ts";
import { RevocationLevel } from "../policy/revocation.ts";

/*
 * What the control plane tells of revocations, under /api/v1/revocations: what is in force, what was lifted, and how far
 * hosts are with it.
 */

/**
 * How far a host is with a revocation: it `has` it, so nobody gets in there against it; it is connected and was `asked`; it is
 * `cut-off`, and may admit until its lease ends; it has `no-lease` any more, and admits nobody until it has caught up.
 */
export const HostStanding = z.enum(["has", "asked", "cut-off", "no-lease"]);
export type HostStanding = z.infer<typeof HostStanding>;

/** A host, and what it did with a revocation. */
export const HostEffect = z.object({
  host: z.string(),
  /** It is stored and in force there, and what it ends has ended. */
  acknowledged: z.boolean(),
  /** When it said so, in seconds since the epoch; null where it has not, or long ago. */
  acknowledgedAt: z.number().nullable(),
  endedSessions: z.array(z.string()),
  connected: z.boolean(),
  /** Until when it may admit without hearing from the control plane, in seconds since the epoch; null before its first lease. */
  leaseUntil: EpochSeconds.nullable(),
  standing: HostStanding,
});
export type HostEffect = z.infer<typeof HostEffect>;

/** One entry, with what has become of it. */
export const RevocationView = z.object({
  id: z.string(),
  sequence: z.int(),
  level: z.string(),
  target: z.string(),
  /** Who or what that is, as people read it. */
  name: z.string(),
  /** `everything` until it is lifted; what hangs on `sign-ins` before `before`; or a `lifting` of what was before it. */
  kind: z.enum(["everything", "sign-ins", "lifting"]),
  at: EpochSeconds,
  by: z.string(),
  reason: z.string(),
  before: EpochSeconds.nullable(),
  /** False for what was lifted or made anew since, and for a lifting. */
  inForce: z.boolean(),
  lifted: z.object({ id: z.string(), at: EpochSeconds, by: z.string(), reason: z.string() }).nullable(),
  /** Another entry that it belongs to: the key of a certificate, the certificate of a session. */
  requestId: z.string().nullable(),
});
export type RevocationView = z.infer<typeof RevocationView>;

/** How many hosts are how far: all that were not removed, and those that were and have a lease all the same. */
export const HostCounts = z.object({
  all: z.int(),
  has: z.int(),
  asked: z.int(),
  cutOff: z.int(),
  noLease: z.int(),
});
export type HostCounts = z.infer<typeof HostCounts>;

/** `GET /revocations/{id}`: of all entries that were made with it. */
export const RevocationDetail = RevocationView.extend({ counts: HostCounts, hosts: z.array(HostEffect) });
export type RevocationDetail = z.infer<typeof RevocationDetail>;

/** `POST /revocations/lift`: what may be signed in for from now on again. What was before stays gone. */
export const LiftRequest = z.strictObject({
  level: RevocationLevel,
  /** As for `POST /revocations`, or as the list has it. */
  target: z.string().min(1).max(800),
  reason: DisplayText.default(""),
});
export type LiftRequest = z.infer<typeof LiftRequest>;
