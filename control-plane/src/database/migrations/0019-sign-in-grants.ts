import { type Kysely, sql } from "kysely";

/** Refresh tokens of sign-ins, sealed, by which IdPs are asked about people; and how it stands with each IdP. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("sign_in_grants")
    .addColumn("key_fingerprint", "text", (column) => column.primaryKey())
    .addColumn("issuer", "text", (column) => column.notNull())
    .addColumn("subject", "text", (column) => column.notNull())
    .addColumn("member_id", "text", (column) => column.notNull())
    .addColumn("token_sealed", "text", (column) => column.notNull())
    .addColumn("sealed_with", "text", (column) => column.notNull())
    .addColumn("sign_in_json", "text", (column) => column.notNull())
    .addColumn("signed_in_at", "bigint", (column) => column.notNull())
    .addColumn("renewable_until", "bigint", (column) => column.notNull())
    .addColumn("last_answer_at_ms", "bigint")
    .addColumn("failing_since_ms", "bigint")
    .addColumn("next_check_at_ms", "bigint", (column) => column.notNull())
    .addColumn("hinted_at_ms", "bigint", (column) => column.notNull().defaultTo(0))
    .addColumn("claimed_by", "text")
    .addColumn("claimed_until_ms", "bigint", (column) => column.notNull().defaultTo(0))
    .addColumn("in_doubt", "integer", (column) => column.notNull().defaultTo(0))
    .addColumn("lost_at_ms", "bigint")
    .addColumn("fresh_sealed", "text")
    .addColumn("fresh_at_ms", "bigint", (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema
    .createIndex("sign_in_grants_next")
    .on("sign_in_grants")
    .columns(["issuer", "next_check_at_ms"])
    .execute();
  await db.schema
    .createIndex("sign_in_grants_subject")
    .on("sign_in_grants")
    .columns(["issuer", "subject"])
    .execute();
  await db.schema
    .createTable("issuer_states")
    .addColumn("issuer", "text", (column) => column.primaryKey())
    .addColumn("answered_at_ms", "bigint")
    .addColumn("silent_since_ms", "bigint")
    .addColumn("told_at_ms", "bigint")
    .addColumn("failures", "integer", (column) => column.notNull().defaultTo(0))
    .addColumn("back_off_until_ms", "bigint", (column) => column.notNull().defaultTo(0))
    .addColumn("problem", "text")
    .execute();
  await db.schema
    .createTable("sealing_keys")
    .addColumn("kid", "text", (column) => column.primaryKey())
    .addColumn("number", "integer", (column) => column.notNull().unique())
    .execute();
  // Whose sessions are live: looked for by certificate, among a million.
  await db.schema
    .createIndex("sessions_live_certificate")
    .on("sessions")
    .column("certificate_serial")
    .where(sql.ref("ended_at_ms"), "is", null)
    .execute();
}
