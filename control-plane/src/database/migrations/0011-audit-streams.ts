import type { Kysely } from "kysely";

/** Where each stream of the audit log goes on. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("audit_streams")
    .addColumn("name", "text", (c) => c.primaryKey())
    .addColumn("next_leaf", "bigint", (c) => c.notNull())
    .addColumn("claimed_by", "text")
    .addColumn("claimed_until_ms", "double precision", (c) => c.notNull())
    .execute();
}
