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

/** Known by their login's certificate alone; they go on while the session does. */
const OF_LOGIN: ReadonlySet<HostEvent["type"]> = new Set(["forward-opened", "forward-closed"]);

/**
 * What a host told of a session, oldest first, and what was forwarded meanwhile with its certificate: another session of the
 * same certificate may have done that. At most 10,000.
 */
export async function sessionEvents(db: Database, session: EventfulSession): Promise<HostEvent[]> {
  let query = db
    .selectFrom("host_events")
    .select("event_json")
    .where("host_id", "=", session.hostId)
    .where("at_ms", ">=", session.startedAt - MARGIN)
    // Not the limit's places for what happened beside it: a session can have thousands of events.
    .where((where) =>
      where.or([
        where("event_json", "like", `%"sessionId":"${session.id}"%`),
        where.and([
          where("type", "in", [...OF_LOGIN]),
          where("certificate_serial", "=", session.certificateSerial),
        ]),
      ]),
    );
  if (session.endedAt !== null) query = query.where("at_ms", "<=", session.endedAt + MARGIN);
  const rows = await query.orderBy("at_ms").orderBy("id").limit(MOST).execute();
  return rows
    .map(({ event_json }) => HostEvent.parse(JSON.parse(event_json)))
    .filter((event) => event.sessionId === session.id || isOfLogin(event, session));
}

function isOfLogin({ type, sessionId, certificateSerial, at }: HostEvent, session: EventfulSession): boolean {
  if (sessionId !== null || !OF_LOGIN.has(type)) return false;
  const { startedAt, endedAt } = session;
  return (
    certificateSerial === session.certificateSerial && at >= startedAt && (endedAt === null || at <= endedAt)
  );
}
