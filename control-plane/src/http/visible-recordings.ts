import { SallyportError } from "@sallyport/core/errors.ts";
import type { SessionSummary } from "@sallyport/core/messages/client-api.ts";
import { listEngagements } from "../database/engagements.ts";
import { hostById } from "../database/hosts.ts";
import { recordingPosition } from "../database/recordings.ts";
import { type SessionFilter, sessionById } from "../database/sessions.ts";
import type { RecordingsTable } from "../database/tables.ts";
import type { BlockStorage, RecordingName } from "../recordings/block-storage.ts";
import type { Caller } from "./caller.ts";
import type { Services } from "./services.ts";
import { type Sight, sightOf } from "./sight.ts";

/**
 * As how many requests it counts to have a recording read and rewritten, or its events: tens of milliseconds in which nothing
 * else is done.
 */
export const EXPORT_COST = 10;

/** Whose sessions are in sight; undefined means everybody's. */
export async function visibleSessions(
  { db }: Pick<Services, "db">,
  sight: Sight,
): Promise<SessionFilter["visible"]> {
  if (sight.all) return undefined;
  const { memberId, sponsor } = sight;
  const sponsored =
    sponsor === undefined ? [] : (await listEngagements(db)).filter((one) => one.sponsor === sponsor);
  return { memberId, engagementIds: sponsored.map(({ id }) => id) };
}

/** A session that is in sight. Code `not-found` for any other. */
export async function visibleSession(
  services: Pick<Services, "db">,
  id: string,
  sight: Sight,
): Promise<SessionSummary> {
  const session = await sessionById(services.db, id);
  const visible = await visibleSessions(services, sight);
  const isVisible =
    visible === undefined ||
    (session !== undefined &&
      (session.member.id === visible.memberId || visible.engagementIds.includes(session.engagement.id)));
  if (session === undefined || !isVisible) throw sessionNotFound();
  return session;
}

/** A recording that may be looked into. */
export interface VisibleRecording {
  session: SessionSummary;
  stored: RecordingsTable;
  name: RecordingName;
  /** Ed25519 JWK `x`. */
  hostKey: string;
}

/** The recording of a session in sight, whether its bytes are there or not. Code `not-found`. */
export async function visibleRecording(
  services: Pick<Services, "db">,
  id: string,
  caller: Caller,
): Promise<VisibleRecording> {
  const session = await visibleSession(services, id, sightOf(caller, "recordings:read"));
  const stored = await recordingPosition(services.db, session.id);
  const host = stored && (await hostById(services.db, stored.host_id));
  if (stored === undefined || host === undefined) throw sessionNotFound();
  return { session, stored, name: { hostId: stored.host_id, session: session.id }, hostKey: host.hostKey };
}

/** Where the bytes of a recording are. Code `recording-deleted` when they are gone, which says when and why. */
export function storageOf({ places }: Pick<Services, "places">, { stored }: VisibleRecording): BlockStorage {
  const { deleted_at, deleted_by } = stored;
  if (deleted_at === null) return places.of(stored);
  const when = new Date(deleted_at * 1000).toISOString().replace("T", " ").slice(0, 16);
  throw new SallyportError(
    "recording-deleted",
    `The recording of this session was deleted on ${when} UTC by ${deleted_by ?? "nobody known"}; that it was made, and its end, are in the audit log.`,
  );
}

function sessionNotFound(): SallyportError {
  return new SallyportError("not-found", "There is no such session. `sallyport sessions` lists them.");
}
