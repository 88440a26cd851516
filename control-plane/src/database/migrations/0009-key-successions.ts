import type { Kysely } from "kysely";

/** Which keys began, which followed them, and which keys hosts say that they trust. */
export async function up({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable("first_keys")
    .ifNotExists()
    .addColumn("kind", "text", (c) => c.primaryKey())
    .addColumn("public_key", "text", (c) => c.notNull())
    .execute();
  await schema
    .createTable("key_successions")
    .ifNotExists()
    .addColumn("kind", "text", (c) => c.notNull())
    .addColumn("number", "integer", (c) => c.notNull())
    .addColumn("old_key", "text", (c) => c.notNull())
    .addColumn("new_key", "text", (c) => c.notNull())
    .addColumn("succession_json", "text", (c) => c.notNull())
    .addColumn("retirement_json", "text")
    .addColumn("begun_at", "bigint", (c) => c.notNull())
    .addColumn("switched_at", "bigint")
    .addColumn("finished_at", "bigint")
    .addPrimaryKeyConstraint("key_successions_pk", ["kind", "number"])
    // One successor for each key, and no key twice: hosts believe the first.
    .addUniqueConstraint("key_successions_old", ["kind", "old_key"])
    .addUniqueConstraint("key_successions_new", ["kind", "new_key"])
    .execute();
  for (const [table, column] of [
    ["host_pinned_keys", "keys_json"],
    ["host_certified_by", "cas_json"],
  ] as const) {
    await schema
      .createTable(table)
      .ifNotExists()
      .addColumn("host_id", "text", (c) => c.primaryKey().references("hosts.id"))
      .addColumn(column, "text", (c) => c.notNull())
      .addColumn("noted_at", "bigint", (c) => c.notNull())
      .execute();
  }
}
