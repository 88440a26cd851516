import { HostEvent } from "@sallyport/core/messages/host-link.ts";
import type { Database } from "./tables.ts";

/** Events of a session are told of within this time of its start and end, in milliseconds. */
const MARGIN = 60_000;
const MOST = 10_000;

/** A session as its events are found by. */
export interface EventfulSession {
  id: string;
  hostId: string;
  certificateSerial: string;
  /** Milliseconds since the epoch, by the host's clock. */
  startedAt: number;
  endedAt: number | null;
}

/**
 * What a host told of a session, or of the login that it is in, oldest first: logins and their forwards are known by the
 * certificate alone. At most 10,000.
 */
export async function sessionEvents(db: Database, session: EventfulSession): Promise<HostEvent[]> {
  let query = db
    .selectFrom("host_events")
    .select("event_json")
    .where("host_id", "=", session.hostId)
    .where("at_ms", ">=", session.startedAt - MARGIN);
  if (session.endedAt !== null) query = query.where("at_ms", "<=", session.endedAt + MARGIN);
  const rows = await query.orderBy("at_ms").orderBy("id").limit(MOST).execute();
  return rows
    .map(({ event_json }) => HostEvent.parse(JSON.parse(event_json)))
    .filter(({ sessionId, certificateSerial }) =>
      sessionId === null ? certificateSerial === session.certificateSerial : sessionId === session.id,
    );
}
