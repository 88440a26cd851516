import type { ApiTokensTable, Database } from "./tables.ts";

/** Stores an API token by its hash, and forgets those that are over. */
export async function addApiToken(db: Database, token: ApiTokensTable): Promise<void> {
  await db.deleteFrom("api_tokens").where("expires_at", "<=", token.created_at).execute();
  await db.insertInto("api_tokens").values(token).execute();
}

/** The token of this hash, unless it is over. */
export async function findApiToken(
  db: Database,
  hash: string,
  now: number,
): Promise<ApiTokensTable | undefined> {
  return db
    .selectFrom("api_tokens")
    .selectAll()
    .where("hash", "=", hash)
    .where("expires_at", ">", now)
    .executeTakeFirst();
}

/** Forgets a token: its holder signed out. */
export async function deleteApiToken(db: Database, hash: string): Promise<void> {
  await db.deleteFrom("api_tokens").where("hash", "=", hash).execute();
}
