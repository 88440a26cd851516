import { type Kysely, sql } from "kysely";

/** What lists of sessions look for among a million: the few that are live, and those of an engagement. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createIndex("sessions_live")
    .on("sessions")
    .column("id")
    .where(sql.ref("ended_at_ms"), "is", null)
    .execute();
  await db.schema
    .createIndex("sessions_engagement")
    .on("sessions")
    .columns(["engagement_id", "id"])
    .execute();
}
