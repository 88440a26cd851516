import type { Kysely } from "kysely";

/** What a revocation was asked for by, as people read it, and which entries were one request. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("revocations").addColumn("name", "text").execute();
  await db.schema.alterTable("revocations").addColumn("request_id", "text").execute();
  await db.schema
    .createIndex("revocations_request")
    .ifNotExists()
    .on("revocations")
    .column("request_id")
    .execute();
}
