import { z } from "zod";
import { DisplayText, EpochSeconds, HostName } from "../names.ts";
import { Engagement } from "../policy/engagement.ts";

/*
 * Engagements in the HTTP API. A contractor sees their own, and in them only themselves as member.
 */

/** Whether an engagement runs, is over, or has not begun. */
export const EngagementState = z.enum(["running", "ended", "not-started"]);
export type EngagementState = z.infer<typeof EngagementState>;

/** An engagement in `GET /engagements` and `GET /engagements/{name}`. Times are seconds since the epoch. */
export const EngagementView = z.object({
  ...Engagement.omit({ hosts: true, members: true }).shape,
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
