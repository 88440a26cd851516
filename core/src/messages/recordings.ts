import { z } from "zod";
import { DisplayText, EpochSeconds } from "../names.ts";

/*
 * Recordings in the HTTP API beyond the recording itself: what becomes of them, what keeps them, what happened besides.
 */

/** What there is of a session's recording. */
export const RecordingState = z.object({
  /** `partial`: its end is not stored yet, so it is never deleted. */
  state: z.enum(["partial", "complete", "deleted"]),
  /** Something keeps it past its retention. */
  held: z.boolean(),
  deletedAt: EpochSeconds.nullable(),
  /** What deleted it: `retention`. */
  deletedBy: z.string().nullable(),
});
export type RecordingState = z.infer<typeof RecordingState>;

/** `POST /recordings/holds`. The target is a session's id, an engagement's name or id, a vendor's name. */
export const HoldRequest = z.strictObject({
  level: z.enum(["session", "engagement", "vendor"]),
  target: z.string().min(1).max(255),
  reason: DisplayText.min(1),
});
export type HoldRequest = z.infer<typeof HoldRequest>;

/** What keeps recordings from being deleted, until somebody lifts it. */
export const Hold = z.object({
  id: z.string(),
  level: HoldRequest.shape.level,
  target: z.string(),
  /** The target as people call it. */
  name: z.string(),
  reason: z.string(),
  placedBy: z.string(),
  placedAt: EpochSeconds,
  liftedBy: z.string().nullable(),
  liftedAt: EpochSeconds.nullable(),
});
export type Hold = z.infer<typeof Hold>;

/** `GET /sessions/{id}/events`: what its host told of it, oldest first. `at` is seconds, with a fraction, by the host's clock. */
export const SessionEvent = z.object({
  at: z.number(),
  type: z.string(),
  code: z.string().nullable(),
  detail: z.string(),
});
export type SessionEvent = z.infer<typeof SessionEvent>;

/** `POST /web-sessions`: a code that opens the web page once, within a minute. */
export const WebCode = z.object({
  code: z.string().max(128),
  /** The page; the code goes behind it as `#code=…`, which no browser sends anywhere. */
  page: z.url(),
  expiresAt: EpochSeconds,
});
export type WebCode = z.infer<typeof WebCode>;
