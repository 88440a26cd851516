import type { Kysely } from "kysely";

/**
 * Tokens of three kinds: of a sign-in, with scopes, and the bootstrap token; and the groups that an IdP named somebody in at
 * their latest sign-in.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  await schema.alterTable("api_tokens").addColumn("id", "text").execute();
  await schema
    .alterTable("api_tokens")
    .addColumn("kind", "text", (c) => c.notNull().defaultTo("sign-in"))
    .execute();
  await schema.alterTable("api_tokens").addColumn("label", "text").execute();
  await schema.alterTable("api_tokens").addColumn("scopes_json", "text").execute();
  await schema.alterTable("api_tokens").addColumn("last_used_at", "bigint").execute();
  await schema.createIndex("api_tokens_id").unique().on("api_tokens").column("id").execute();
  await schema
    .createTable("identity_groups")
    .addColumn("issuer", "text", (c) => c.notNull())
    .addColumn("subject", "text", (c) => c.notNull())
    .addColumn("groups_json", "text", (c) => c.notNull())
    .addColumn("issued_at", "double precision", (c) => c.notNull())
    .addColumn("seen_at", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("identity_groups_key", ["issuer", "subject"])
    .execute();
}
