import type { Kysely } from "kysely";

/** Security Event Tokens that were taken, the streams that they come by, and who was disabled by an IdP itself. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("received_security_events")
    .addColumn("issuer", "text", (c) => c.notNull())
    .addColumn("jti", "text", (c) => c.notNull())
    .addColumn("received_at", "bigint", (c) => c.notNull())
    .addColumn("forget_at", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("received_security_events_key", ["issuer", "jti"])
    .execute();
  await db.schema
    .createIndex("received_security_events_forget")
    .on("received_security_events")
    .column("forget_at")
    .execute();
  await db.schema
    .createTable("security_event_streams")
    .addColumn("issuer", "text", (c) => c.primaryKey())
    .addColumn("claimed_by", "text")
    .addColumn("claimed_until_ms", "double precision", (c) => c.notNull().defaultTo(0))
    .addColumn("stream_id", "text")
    .addColumn("poll_url", "text")
    .addColumn("status", "text")
    .addColumn("status_reason", "text")
    .addColumn("verification_state", "text")
    .addColumn("verification_asked_at", "bigint")
    .addColumn("verified_at", "bigint")
    .addColumn("received_at", "bigint")
    .addColumn("checked_at", "bigint")
    .addColumn("problem", "text")
    .execute();
  await db.schema
    .createTable("security_event_subjects")
    .addColumn("issuer", "text", (c) => c.notNull())
    .addColumn("stream_id", "text", (c) => c.notNull())
    .addColumn("subject", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("security_event_subjects_key", ["issuer", "stream_id", "subject"])
    .execute();
  await db.schema
    .createTable("identity_states")
    .addColumn("target", "text", (c) => c.primaryKey())
    .addColumn("disabled_at", "bigint")
    .addColumn("disabled_by", "text")
    .addColumn("enabled_at", "bigint")
    .execute();
}
