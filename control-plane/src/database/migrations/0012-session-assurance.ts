import type { Kysely } from "kysely";

/** Whether the sign-in behind a session was bound to its SSH key; before, all were. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable("sessions")
    .addColumn("assurance", "text", (column) => column.notNull().defaultTo("bound"))
    .execute();
}
