import type { AuditEventsTable, Database } from "./tables.ts";

/** Appends an audit event. Events are never changed. */
export async function addAuditEvent(db: Database, event: AuditEventsTable): Promise<void> {
  await db.insertInto("audit_events").values(event).execute();
}

/** The newest audit events, newest first. */
export async function listAuditEvents(db: Database, limit: number): Promise<AuditEventsTable[]> {
  return db.selectFrom("audit_events").selectAll().orderBy("id", "desc").limit(limit).execute();
}
