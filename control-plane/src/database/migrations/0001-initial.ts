import type { Kysely } from "kysely";

/** The tables of the first version. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const schema = db.schema;
  await schema
    .createTable("members")
    .addColumn("id", "text", (c) => c.primaryKey())
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("email", "text", (c) => c.unique())
    .addColumn("vendor", "text", (c) => c.notNull())
    .addColumn("created_at", "bigint", (c) => c.notNull())
    .execute();
  await schema
    .createTable("identities")
    .addColumn("issuer", "text", (c) => c.notNull())
    .addColumn("subject", "text", (c) => c.notNull())
    .addColumn("member_id", "text", (c) => c.notNull().references("members.id"))
    .addColumn("pinned_at", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("identities_key", ["issuer", "subject"])
    .addUniqueConstraint("identities_once", ["member_id", "issuer"])
    .execute();
  await schema
    .createTable("staff_identities")
    .addColumn("issuer", "text", (c) => c.notNull())
    .addColumn("subject", "text", (c) => c.notNull())
    .addColumn("email", "text", (c) => c.notNull())
    .addColumn("pinned_at", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("staff_identities_key", ["issuer", "subject"])
    .addUniqueConstraint("staff_identities_once", ["email", "issuer"])
    .execute();
  await schema
    .createTable("engagements")
    .addColumn("id", "text", (c) => c.primaryKey())
    .addColumn("name", "text", (c) => c.notNull().unique())
    .addColumn("vendor", "text", (c) => c.notNull())
    .addColumn("hosts_json", "text", (c) => c.notNull())
    .addColumn("accounts_json", "text", (c) => c.notNull())
    .addColumn("mode", "text", (c) => c.notNull())
    .addColumn("mfa_json", "text", (c) => c.notNull())
    .addColumn("hours_json", "text")
    .addColumn("sources_json", "text", (c) => c.notNull())
    .addColumn("approval_json", "text", (c) => c.notNull())
    .addColumn("contact", "text", (c) => c.notNull())
    .addColumn("starts_at", "bigint", (c) => c.notNull())
    .addColumn("ends_at", "bigint", (c) => c.notNull())
    .addColumn("ended_at", "bigint")
    .addColumn("ended_by", "text")
    .addColumn("ended_reason", "text")
    .execute();
  await schema
    .createTable("engagement_members")
    .addColumn("engagement_id", "text", (c) => c.notNull().references("engagements.id"))
    .addColumn("member_id", "text", (c) => c.notNull().references("members.id"))
    .addPrimaryKeyConstraint("engagement_members_key", ["engagement_id", "member_id"])
    .execute();
  await schema
    .createIndex("engagement_members_member")
    .on("engagement_members")
    .column("member_id")
    .execute();
  await schema
    .createTable("hosts")
    .addColumn("id", "text", (c) => c.primaryKey())
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("address", "text", (c) => c.notNull())
    .addColumn("port", "integer", (c) => c.notNull())
    .addColumn("labels_json", "text", (c) => c.notNull())
    .addColumn("host_key", "text", (c) => c.notNull().unique())
    .addColumn("enrolled_at", "bigint", (c) => c.notNull())
    .addColumn("last_seen_at", "bigint")
    .addColumn("removed_at", "bigint")
    .addColumn("bundle_version", "integer", (c) => c.notNull())
    .addColumn("bundle_hash", "text", (c) => c.notNull())
    .execute();
  await schema.createIndex("hosts_name").on("hosts").column("name").execute();
  await schema
    .createTable("join_tokens")
    .addColumn("id", "text", (c) => c.primaryKey())
    .addColumn("secret_hash", "text", (c) => c.notNull())
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("address", "text", (c) => c.notNull())
    .addColumn("port", "integer", (c) => c.notNull())
    .addColumn("labels_json", "text", (c) => c.notNull())
    .addColumn("created_by", "text", (c) => c.notNull())
    .addColumn("created_at", "bigint", (c) => c.notNull())
    .addColumn("expires_at", "bigint", (c) => c.notNull())
    .addColumn("used_at", "bigint")
    .execute();
  await schema
    .createTable("challenges")
    .addColumn("challenge", "text", (c) => c.primaryKey())
    .addColumn("expires_at", "bigint", (c) => c.notNull())
    .execute();
  await schema.createIndex("challenges_expiry").on("challenges").column("expires_at").execute();
  await schema
    .createTable("used_tokens")
    .addColumn("hash", "text", (c) => c.primaryKey())
    .addColumn("expires_at", "bigint", (c) => c.notNull())
    .execute();
  await schema.createIndex("used_tokens_expiry").on("used_tokens").column("expires_at").execute();
  await schema
    .createTable("api_tokens")
    .addColumn("hash", "text", (c) => c.primaryKey())
    .addColumn("issuer", "text", (c) => c.notNull())
    .addColumn("subject", "text", (c) => c.notNull())
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("mfa", "text", (c) => c.notNull())
    .addColumn("created_at", "bigint", (c) => c.notNull())
    .addColumn("expires_at", "bigint", (c) => c.notNull())
    .execute();
  await schema.createIndex("api_tokens_expiry").on("api_tokens").column("expires_at").execute();
  await schema
    .createTable("certificates")
    .addColumn("serial", "text", (c) => c.primaryKey())
    .addColumn("member_id", "text", (c) => c.notNull().references("members.id"))
    .addColumn("issuer", "text", (c) => c.notNull())
    .addColumn("subject", "text", (c) => c.notNull())
    .addColumn("key_fingerprint", "text", (c) => c.notNull())
    .addColumn("valid_after", "bigint", (c) => c.notNull())
    .addColumn("valid_before", "bigint", (c) => c.notNull())
    .addColumn("issued_at", "bigint", (c) => c.notNull())
    .execute();
  await schema
    .createIndex("certificates_identity")
    .on("certificates")
    .columns(["issuer", "subject"])
    .execute();
  await schema
    .createTable("revocations")
    .addColumn("sequence", "integer", (c) => c.primaryKey())
    .addColumn("id", "text", (c) => c.notNull().unique())
    .addColumn("level", "text", (c) => c.notNull())
    .addColumn("target", "text", (c) => c.notNull())
    .addColumn("at", "bigint", (c) => c.notNull())
    .addColumn("by", "text", (c) => c.notNull())
    .addColumn("reason", "text", (c) => c.notNull())
    .execute();
  await schema.createIndex("revocations_target").on("revocations").columns(["level", "target"]).execute();
  await schema
    .createTable("recordings")
    .addColumn("session_id", "text", (c) => c.primaryKey())
    .addColumn("host_id", "text", (c) => c.notNull().references("hosts.id"))
    .addColumn("next_sequence", "bigint", (c) => c.notNull())
    .addColumn("length", "bigint", (c) => c.notNull())
    .addColumn("head_hash", "text", (c) => c.notNull())
    .addColumn("complete", "integer", (c) => c.notNull())
    .addColumn("raw_bytes", "bigint", (c) => c.notNull())
    .execute();
  await schema
    .createTable("sessions")
    .addColumn("id", "text", (c) => c.primaryKey().references("recordings.session_id"))
    .addColumn("host_id", "text", (c) => c.notNull().references("hosts.id"))
    .addColumn("host_name", "text", (c) => c.notNull())
    .addColumn("account", "text", (c) => c.notNull())
    .addColumn("member_id", "text", (c) => c.notNull())
    .addColumn("member_name", "text", (c) => c.notNull())
    .addColumn("issuer", "text", (c) => c.notNull())
    .addColumn("subject", "text", (c) => c.notNull())
    .addColumn("engagement_id", "text", (c) => c.notNull())
    .addColumn("engagement_name", "text", (c) => c.notNull())
    .addColumn("kind", "text", (c) => c.notNull())
    .addColumn("command", "text")
    .addColumn("source_address", "text")
    .addColumn("certificate_serial", "text", (c) => c.notNull())
    .addColumn("started_at_ms", "double precision", (c) => c.notNull())
    .addColumn("ended_at_ms", "double precision")
    .addColumn("exit_status", "integer")
    .addColumn("signal", "text")
    .addColumn("end_reason", "text")
    .execute();
  await schema.createIndex("sessions_member").on("sessions").columns(["member_id", "id"]).execute();
  await schema.createIndex("sessions_host").on("sessions").columns(["host_name", "id"]).execute();
  await schema
    .createTable("host_events")
    .addColumn("id", "text", (c) => c.notNull())
    .addColumn("host_id", "text", (c) => c.notNull().references("hosts.id"))
    .addColumn("at_ms", "double precision", (c) => c.notNull())
    .addColumn("type", "text", (c) => c.notNull())
    .addColumn("issuer", "text")
    .addColumn("subject", "text")
    .addColumn("certificate_serial", "text")
    .addColumn("event_json", "text", (c) => c.notNull())
    .addColumn("received_at", "bigint", (c) => c.notNull())
    // Ids are made by hosts: one host's must not be able to stand in the way of another's.
    .addPrimaryKeyConstraint("host_events_key", ["host_id", "id"])
    .execute();
  await schema
    .createIndex("host_events_identity")
    .on("host_events")
    .columns(["issuer", "subject", "at_ms"])
    .execute();
  await schema.createIndex("host_events_serial").on("host_events").columns(["certificate_serial"]).execute();
  await schema
    .createTable("audit_events")
    .addColumn("id", "text", (c) => c.primaryKey())
    .addColumn("at_ms", "double precision", (c) => c.notNull())
    .addColumn("type", "text", (c) => c.notNull())
    .addColumn("actor", "text", (c) => c.notNull())
    .addColumn("data_json", "text", (c) => c.notNull())
    .execute();
}
