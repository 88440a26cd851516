import type { Kysely } from "kysely";

/** What hosts say of themselves with their heartbeats: the latest, as JSON; null until they do. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("hosts").addColumn("facts_json", "text").execute();
}
