import { z } from "zod";
import { DisplayText, EpochSeconds, HostName } from "../names.ts";
import { ChangedField } from "../policy/changed-fields.ts";
import { Engagement } from "../policy/engagement.ts";
import { PolicyEngagement } from "../policy/policy-engagement.ts";

/*
 * Engagements in the HTTP API. A contractor sees their own, and in them only themselves as member.
 */

/** Whether an engagement runs, is over, or has not begun. */
export const EngagementState = z.enum(["running", "ended", "not-started"]);
export type EngagementState = z.infer<typeof EngagementState>;

/** An engagement in `GET /engagements` and `GET /engagements/{name}`. Times are seconds since the epoch. */
export const EngagementView = z.object({
  ...Engagement.omit({ hosts: true, members: true }).shape,
  /** Counts its changes, from 1. */
  version: z.int(),
  state: EngagementState,
  start: EpochSeconds,
  members: z.array(
    z.object({
      id: z.string(),
      name: DisplayText,
      email: DisplayText.nullable(),
      account: z.string().nullable(),
    }),
  ),
  /** Names of the hosts that it means now. */
  hosts: z.array(HostName),
  /** How they are chosen. */
  selector: Engagement.shape.hosts,
});
export type EngagementView = z.infer<typeof EngagementView>;

/** Which hosts have taken over a change of policy; the others do when they connect. */
export const PolicyAcknowledgements = z.array(z.object({ host: z.string(), acknowledged: z.boolean() }));

/** `POST /engagements`. The engagement is written as in a policy file. */
export const CreateEngagementRequest = z.strictObject({
  engagement: PolicyEngagement,
  reason: DisplayText.default(""),
});

/**
 * `PATCH /engagements/{name}`: `change` is a JSON Merge Patch (RFC 7396) on the engagement as it is written. `version` is
 * the one that it was made for.
 */
export const EditEngagementRequest = z.strictObject({
  version: z.int().min(1),
  change: z.record(z.string().max(64), z.unknown()),
  reason: DisplayText.default(""),
});

/** `POST /engagements/{name}/extend`: a later end, written like `2026-11-01T09:00:00Z` or as a date. */
export const ExtendEngagementRequest = z.strictObject({
  until: PolicyEngagement.shape.end,
  reason: DisplayText.default(""),
});

/** Answer when an engagement was created, edited or extended. */
export const EngagementChangeResponse = z.object({
  id: z.string(),
  name: z.string(),
  version: z.int(),
  state: EngagementState,
  changes: z.array(ChangedField),
  /** It grants more than was approved: it lets nobody in until it is approved anew. */
  needsApproval: z.boolean(),
  hosts: PolicyAcknowledgements,
});
export type EngagementChangeResponse = z.infer<typeof EngagementChangeResponse>;

/** One version in `GET /engagements/{name}/versions`. */
export const EngagementVersion = z.object({
  version: z.int(),
  at: EpochSeconds,
  by: z.string(),
  why: z.string(),
  /** What changed, seen from the version before; empty for the first. */
  changes: z.array(ChangedField),
  /** The engagement as it is written in a policy file, with every default filled in. */
  engagement: z.record(z.string(), z.unknown()),
});
export type EngagementVersion = z.infer<typeof EngagementVersion>;

/** Answer to `POST /engagements/{name}/end`. */
export const EndEngagementResponse = z.object({
  id: z.string(),
  name: z.string(),
  state: EngagementState,
  hosts: PolicyAcknowledgements,
});

/** A host in `GET /hosts`. Contractors get the name, where it is, and their accounts there; the security team gets all. */
export const HostView = z.object({
  id: z.string(),
  name: HostName,
  address: z.string(),
  port: z.int(),
  connected: z.boolean(),
  accounts: z.array(z.string()).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  enrolledAt: z.number().optional(),
  lastSeenAt: z.number().nullable().optional(),
  bundleVersion: z.number().optional(),
  facts: z.unknown().optional(),
});
