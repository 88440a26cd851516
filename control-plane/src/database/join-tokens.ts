import type { Database, JoinTokensTable } from "./tables.ts";

/** Stores a join token; of its secret only the hash. */
export async function addJoinToken(db: Database, token: Omit<JoinTokensTable, "used_at">): Promise<void> {
  await db
    .insertInto("join_tokens")
    .values({ ...token, used_at: null })
    .execute();
}

/** The token of this id, used or not. */
export async function joinTokenById(db: Database, id: string): Promise<JoinTokensTable | undefined> {
  return db.selectFrom("join_tokens").selectAll().where("id", "=", id).executeTakeFirst();
}

/** Marks a token as used; false when it was before. */
export async function useJoinToken(db: Database, id: string, at: number): Promise<boolean> {
  const result = await db
    .updateTable("join_tokens")
    .set({ used_at: at })
    .where("id", "=", id)
    .where("used_at", "is", null)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}
