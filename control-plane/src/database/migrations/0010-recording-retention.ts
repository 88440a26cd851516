import type { Kysely } from "kysely";

/** Recordings in object storage, recordings that were deleted, holds that keep them, and sign-ins to the web page. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const schema = db.schema;
  // Where the blocks are; null is the directory, as for all that are there.
  await schema.alterTable("recordings").addColumn("storage", "text").execute();
  await schema.alterTable("recordings").addColumn("completed_at", "bigint").execute();
  await schema.alterTable("recordings").addColumn("deleted_at", "bigint").execute();
  await schema.alterTable("recordings").addColumn("deleted_by", "text").execute();
  await schema.alterTable("recordings").addColumn("removed_at", "bigint").execute();
  await schema.alterTable("recordings").addColumn("tidied_at", "bigint").execute();
  await schema.createIndex("recordings_completed").on("recordings").columns(["completed_at"]).execute();
  await schema.createIndex("recordings_deleted").on("recordings").columns(["deleted_at"]).execute();
  await schema
    .createTable("recording_parts")
    .addColumn("session_id", "text", (c) => c.notNull())
    .addColumn("start", "bigint", (c) => c.notNull())
    .addColumn("length", "bigint", (c) => c.notNull())
    .addColumn("first_sequence", "bigint", (c) => c.notNull())
    .addColumn("name", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("recording_parts_key", ["session_id", "start"])
    .execute();
  await schema
    .createTable("recording_holds")
    .addColumn("id", "text", (c) => c.primaryKey())
    .addColumn("level", "text", (c) => c.notNull())
    .addColumn("target", "text", (c) => c.notNull())
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("reason", "text", (c) => c.notNull())
    .addColumn("placed_by", "text", (c) => c.notNull())
    .addColumn("placed_at", "bigint", (c) => c.notNull())
    .addColumn("lifted_by", "text")
    .addColumn("lifted_at", "bigint")
    .execute();
  await schema
    .createIndex("recording_holds_target")
    .on("recording_holds")
    .columns(["level", "target"])
    .execute();
  await schema.createIndex("host_events_time").on("host_events").columns(["host_id", "at_ms"]).execute();
  await schema
    .createTable("web_codes")
    .addColumn("hash", "text", (c) => c.primaryKey())
    .addColumn("token_hash", "text", (c) => c.notNull())
    .addColumn("expires_at", "bigint", (c) => c.notNull())
    .execute();
  await schema
    .createTable("web_sessions")
    .addColumn("hash", "text", (c) => c.primaryKey())
    .addColumn("token_hash", "text", (c) => c.notNull())
    .addColumn("expires_at", "bigint", (c) => c.notNull())
    .execute();
}
