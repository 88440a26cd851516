import type { Database, IdentityStatesTable } from "./tables.ts";

/** What IdPs have said of somebody, by their `identityTarget`; nothing yet is all null. */
export async function identityState(db: Database, target: string): Promise<IdentityStatesTable> {
  const row = await db
    .selectFrom("identity_states")
    .selectAll()
    .where("target", "=", target)
    .executeTakeFirst();
  return row ?? { target, disabled_at: null, disabled_by: null, enabled_at: null };
}

/** Stores what IdPs have said of somebody. */
export async function saveIdentityState(db: Database, state: IdentityStatesTable): Promise<void> {
  const { target, ...rest } = state;
  await db
    .insertInto("identity_states")
    .values({ target, ...rest })
    .onConflict((conflict) => conflict.column("target").doUpdateSet(rest))
    .execute();
}
