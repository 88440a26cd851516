import { z } from "zod";
import { DisplayText, EpochSeconds, Id, ShortName } from "../names.ts";
import { PolicyAcknowledgements } from "./engagements.ts";

/*
 * Approvals in the HTTP API: somebody asks, others say yes or no. A contractor sees their own requests, and of an engagement's
 * activation whether it was given. Times are seconds since the epoch.
 */

/** What became of a request. `withdrawn`: it was approved, and that was taken back; `cancelled`: its requester gave it up. */
export const ApprovalState = z.enum(["pending", "approved", "denied", "expired", "withdrawn", "cancelled"]);
export type ApprovalState = z.infer<typeof ApprovalState>;

const Ticket = DisplayText.max(100);
const Note = DisplayText.default("");

/** `POST /approvals`: for the engagement's activation, or for oneself to log in, as its rule has it. */
export const ApprovalRequest = z.strictObject({
  /** Name or id. */
  engagement: z.string().min(1).max(255),
  reason: DisplayText.min(1),
  ticket: Ticket.min(1).nullable().default(null),
});
export type ApprovalRequest = z.input<typeof ApprovalRequest>;

/** One request in `GET /approvals` (newest first) and `GET /approvals/{id}`. */
export const ApprovalView = z.object({
  id: Id,
  /** `version`: the number of its newest version, as in `GET /engagements/{name}/versions`. */
  engagement: z.object({ id: Id, name: ShortName, version: z.int() }),
  /** Who may log in by it; null where it is for the whole engagement. */
  member: z.object({ id: Id, name: DisplayText, email: DisplayText.nullable() }).nullable(),
  reason: DisplayText,
  ticket: Ticket.nullable(),
  /** E-mail or name; null where the caller is not to know. */
  requestedBy: DisplayText.nullable(),
  /** A host's refusal made it, not a person. */
  automatic: z.boolean(),
  requestedAt: EpochSeconds,
  /** Until then it can be answered. */
  expires: EpochSeconds,
  state: ApprovalState,
  /** How many people have to say yes, as things stand. */
  approvers: z.int(),
  /** Until when one may log in by it; null where it is not approved, or for the whole engagement. */
  until: EpochSeconds.nullable(),
  answers: z.array(
    z.object({
      by: DisplayText,
      decision: z.enum(["approve", "deny"]),
      note: DisplayText,
      at: EpochSeconds,
    }),
  ),
});
export type ApprovalView = z.infer<typeof ApprovalView>;

/** Query of `GET /approvals`. `before` is the id of a request: only older ones. */
export const ApprovalFilter = z.object({
  state: ApprovalState.optional(),
  engagement: z.string().min(1).max(255).optional(),
  before: z.string().max(64).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
});
export type ApprovalFilter = z.infer<typeof ApprovalFilter>;

/** `POST /approvals/{id}/answer`. With `ifVersion` it only counts while the engagement has that version: the one looked at. */
export const ApprovalAnswer = z.strictObject({
  decision: z.enum(["approve", "deny"]),
  note: Note,
  ifVersion: z.int().min(0).optional(),
});
export type ApprovalAnswer = z.infer<typeof ApprovalAnswer>;

/** `POST /approvals/{id}/withdraw`. */
export const ApprovalWithdrawal = z.strictObject({ reason: Note });

/** Answer to both: the request as it is now, and which hosts know; none where nothing changed for them. */
export const ApprovalOutcome = z.object({
  request: ApprovalView,
  hosts: PolicyAcknowledgements,
  /** After a withdrawal: other approvals that still let the same member in by the same engagement, the longest first. */
  stillApproved: z.array(z.object({ id: Id, until: EpochSeconds })).default([]),
});
export type ApprovalOutcome = z.infer<typeof ApprovalOutcome>;
