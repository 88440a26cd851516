import type { Kysely } from "kysely";

/** Users and groups that IdPs provision over SCIM. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  await schema
    .createTable("scim_users")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("issuer", "text", (column) => column.notNull())
    .addColumn("external_id", "text")
    .addColumn("user_name", "text", (column) => column.notNull())
    .addColumn("user_name_key", "text", (column) => column.notNull())
    .addColumn("email", "text")
    .addColumn("live_name", "text")
    .addColumn("live_external_id", "text")
    .addColumn("active", "integer", (column) => column.notNull())
    .addColumn("deleted_at", "bigint")
    .addColumn("resource_json", "text", (column) => column.notNull())
    .addColumn("version", "integer", (column) => column.notNull())
    .addColumn("created_at_ms", "bigint", (column) => column.notNull())
    .addColumn("changed_at_ms", "bigint", (column) => column.notNull())
    .addUniqueConstraint("scim_users_name", ["issuer", "live_name"])
    .addUniqueConstraint("scim_users_external_id", ["issuer", "live_external_id"])
    .execute();
  for (const column of ["user_name_key", "external_id", "email", "id"])
    await schema
      .createIndex(`scim_users_by_${column}`)
      .on("scim_users")
      .columns(["issuer", column])
      .execute();
  await schema
    .createTable("scim_groups")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("issuer", "text", (column) => column.notNull())
    .addColumn("external_id", "text")
    .addColumn("display_name", "text", (column) => column.notNull())
    .addColumn("display_key", "text", (column) => column.notNull())
    .addColumn("version", "integer", (column) => column.notNull())
    .addColumn("created_at_ms", "bigint", (column) => column.notNull())
    .addColumn("changed_at_ms", "bigint", (column) => column.notNull())
    .addUniqueConstraint("scim_groups_name", ["issuer", "display_key"])
    .execute();
  await schema.createIndex("scim_groups_by_id").on("scim_groups").columns(["issuer", "id"]).execute();
  await schema
    .createTable("scim_group_members")
    .addColumn("group_id", "text", (column) => column.notNull())
    .addColumn("user_id", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("scim_group_members_key", ["group_id", "user_id"])
    .execute();
  await schema
    .createIndex("scim_group_members_user")
    .on("scim_group_members")
    .columns(["user_id", "group_id"])
    .execute();
  await schema.createIndex("api_tokens_identity").on("api_tokens").columns(["issuer", "subject"]).execute();
}
