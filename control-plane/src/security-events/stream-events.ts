import { printable } from "@sallyport/core/terminal-text.ts";
import { z } from "zod";
import { findStream, noteStream, noteVerified } from "../database/security-event-streams.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";
import type { SetClaims } from "./decode-set.ts";
import { SetError } from "./set-error.ts";
import type { VerifiedSet } from "./verify-set.ts";

const Verification = z.looseObject({ state: z.string().max(1000).optional() });
const StreamUpdated = z.looseObject({
  status: z.enum(["enabled", "paused", "disabled"]),
  reason: z.string().max(5000).optional(),
  subject: z.unknown().optional(),
});
const StreamId = z.looseObject({ format: z.literal("opaque"), id: z.string() });

/**
 * A verification event (SSF 1.0 §8.1.4.1): with the state that was asked with, it shows that the stream works; with another one it is
 * `invalid_state`. One without a state the IdP has sent of its own accord. Returns what to log.
 */
export async function applyVerification(
  db: Database,
  { clock }: Pick<Environment, "clock">,
  { transmitter }: VerifiedSet,
  event: Record<string, unknown>,
): Promise<string> {
  const { state } = parse(Verification, event);
  if (state === undefined) return "sent of its own accord";
  if (await noteVerified(db, transmitter.issuer, state, seconds(clock))) return "the stream is verified";
  throw new SetError("invalid_state", "The token's state is not the one that was asked with last.", {
    isSigned: true,
  });
}

/** A stream-updated event (SSF 1.0 §8.1.5): the IdP has paused, disabled or enabled the stream. Returns what to log. */
export async function applyStreamUpdate(
  db: Database,
  { transmitter, claims }: VerifiedSet,
  event: Record<string, unknown>,
): Promise<string> {
  const { status, reason, subject } = parse(StreamUpdated, event);
  // Before 1.0 a stream could be paused for one person.
  if (subject !== undefined && claims.sub_id === undefined) return `${status} for one subject`;
  const known = await findStream(db, transmitter.issuer);
  if (!isOurs(claims, known?.stream_id ?? null)) return `${status}: another stream`;
  const status_reason = reason === undefined ? null : printable(reason, 300);
  await noteStream(db, transmitter.issuer, { status, status_reason });
  return status_reason === null ? status : `${status}: ${status_reason}`;
}

function isOurs({ sub_id }: SetClaims, streamId: string | null): boolean {
  const { success, data } = StreamId.safeParse(sub_id);
  return !success || streamId === null || data.id === streamId;
}

function parse<T>(schema: z.ZodType<T>, event: unknown): T {
  const result = schema.safeParse(event);
  if (result.success) return result.data;
  throw new SetError("invalid_request", "The token's event does not conform to its type.", {
    isSigned: true,
    cause: result.error,
  });
}
