import { HostEvent } from "@sallyport/core/messages/host-link.ts";
import type { Database } from "./tables.ts";

/** Stores an event of a host; false when it is stored already. */
export async function addHostEvent(
  db: Database,
  hostId: string,
  event: HostEvent,
  receivedAt: number,
): Promise<boolean> {
  const result = await db
    .insertInto("host_events")
    .values({
      id: event.id,
      host_id: hostId,
      at_ms: event.at,
      type: event.type,
      issuer: event.issuer,
      subject: event.subject,
      certificate_serial: event.certificateSerial,
      event_json: JSON.stringify(event),
      received_at: receivedAt,
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/**
 * The newest refused login of this person: known by identity, or, where the host could not tell who it was, by the
 * serial of a certificate that was issued to them.
 */
export async function lastRefusal(
  db: Database,
  issuer: string,
  subject: string,
): Promise<{ host: string; event: HostEvent } | undefined> {
  const row = await db
    .selectFrom("host_events")
    .innerJoin("hosts", "hosts.id", "host_events.host_id")
    .select(["event_json", "hosts.name"])
    .where("type", "=", "login-refused")
    .where((where) =>
      where.or([
        where.and([where("issuer", "=", issuer), where("subject", "=", subject)]),
        where("certificate_serial", "in", (inner) =>
          inner
            .selectFrom("certificates")
            .select("serial")
            .where("certificates.issuer", "=", issuer)
            .where("certificates.subject", "=", subject),
        ),
      ]),
    )
    .orderBy("at_ms", "desc")
    .orderBy("host_events.id", "desc")
    .executeTakeFirst();
  return row && { host: row.name, event: HostEvent.parse(JSON.parse(row.event_json)) };
}
