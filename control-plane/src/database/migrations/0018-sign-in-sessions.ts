import type { Kysely } from "kysely";

/** Which session at the IdP a sign-in came from, and which of those sessions are over. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  await schema
    .createTable("sign_in_sessions")
    .addColumn("api_token_hash", "text", (column) => column.primaryKey())
    .addColumn("issuer", "text", (column) => column.notNull())
    .addColumn("subject", "text", (column) => column.notNull())
    .addColumn("sid", "text", (column) => column.notNull())
    .addColumn("key_fingerprint", "text", (column) => column.notNull())
    .addColumn("signed_in_at", "bigint", (column) => column.notNull())
    .execute();
  await schema
    .createIndex("sign_in_sessions_subject")
    .on("sign_in_sessions")
    .columns(["issuer", "subject"])
    .execute();
  await schema
    .createIndex("sign_in_sessions_sid")
    .on("sign_in_sessions")
    .columns(["issuer", "sid"])
    .execute();
  await schema
    .createTable("ended_idp_sessions")
    .addColumn("issuer", "text", (column) => column.notNull())
    .addColumn("sid", "text", (column) => column.notNull())
    .addColumn("ended_at", "bigint", (column) => column.notNull())
    .addColumn("expires_at", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("ended_idp_sessions_key", ["issuer", "sid"])
    .execute();
  await schema
    .createIndex("ended_idp_sessions_expiry")
    .on("ended_idp_sessions")
    .column("expires_at")
    .execute();
}
