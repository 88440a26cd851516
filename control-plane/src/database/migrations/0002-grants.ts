import type { Kysely } from "kysely";

/** What engagements grant beyond a recorded shell, and the members' own accounts. Both grant nothing to what is there. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const schema = db.schema;
  await schema
    .alterTable("engagements")
    .addColumn("grants_json", "text", (c) => c.notNull().defaultTo("{}"))
    .execute();
  await schema.alterTable("members").addColumn("account", "text").execute();
  await schema.createIndex("members_account").unique().on("members").column("account").execute();
}
