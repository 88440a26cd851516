import type { Kysely } from "kysely";

/** Who serves, which host is connected to whom, and what hosts answered to revocations: for several replicas. */
export async function up({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable("replicas")
    .addColumn("id", "text", (c) => c.primaryKey())
    .addColumn("seen_at", "double precision", (c) => c.notNull())
    .execute();
  await schema
    .createTable("host_links")
    .addColumn("host_id", "text", (c) => c.primaryKey().references("hosts.id"))
    .addColumn("replica_id", "text", (c) => c.notNull().references("replicas.id").onDelete("cascade"))
    .addColumn("bundle_leaf", "bigint", (c) => c.notNull())
    .execute();
  await schema.createIndex("host_links_replica").on("host_links").column("replica_id").execute();
  await schema
    .createTable("revocation_acknowledgements")
    .addColumn("sequence", "bigint", (c) => c.notNull().references("revocations.sequence"))
    .addColumn("host_id", "text", (c) => c.notNull().references("hosts.id"))
    .addColumn("ended_sessions_json", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("revocation_acknowledgements_key", ["sequence", "host_id"])
    .execute();
}
