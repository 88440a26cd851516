import type { Insertable, Selectable } from "kysely";
import type { ApiTokensTable, Database } from "./tables.ts";

/** A token as it is stored. */
export type ApiTokenRow = Selectable<ApiTokensTable>;

/** Whose tokens: those of one person, or everybody's. */
export type TokenOwner = { issuer: string; subject: string } | "everybody";

const USE_NOTED_EVERY = 60;

/** Stores an API token by its hash, and forgets those that are over. */
export async function addApiToken(db: Database, token: Insertable<ApiTokensTable>): Promise<void> {
  await db.deleteFrom("api_tokens").where("expires_at", "<=", token.created_at).execute();
  await db.insertInto("api_tokens").values(token).execute();
}

/** The token of this hash, unless it is over. */
export async function findApiToken(
  db: Database,
  hash: string,
  now: number,
): Promise<ApiTokenRow | undefined> {
  return db
    .selectFrom("api_tokens")
    .selectAll()
    .where("hash", "=", hash)
    .where("expires_at", ">", now)
    .executeTakeFirst();
}

/** Notes that a token was used, at most once a minute. */
export async function noteTokenUse(
  db: Database,
  { hash, last_used_at }: ApiTokenRow,
  now: number,
): Promise<void> {
  if (last_used_at !== null && last_used_at > now - USE_NOTED_EVERY) return;
  await db.updateTable("api_tokens").set({ last_used_at: now }).where("hash", "=", hash).execute();
}

/** Tokens that people made, the latest first. */
export async function listApiTokens(db: Database, owner: TokenOwner, now: number): Promise<ApiTokenRow[]> {
  let query = db
    .selectFrom("api_tokens")
    .selectAll()
    .where("id", "is not", null)
    .where("expires_at", ">", now);
  if (owner !== "everybody")
    query = query.where("issuer", "=", owner.issuer).where("subject", "=", owner.subject);
  return query.orderBy("id", "desc").limit(1000).execute();
}

/** Forgets a token that somebody made; the row that it was, or undefined when there is none of theirs. */
export async function deleteListedToken(
  db: Database,
  owner: TokenOwner,
  id: string,
): Promise<ApiTokenRow | undefined> {
  let query = db.deleteFrom("api_tokens").where("id", "=", id);
  if (owner !== "everybody")
    query = query.where("issuer", "=", owner.issuer).where("subject", "=", owner.subject);
  return query.returningAll().executeTakeFirst();
}

/** Forgets a token: its holder signed out. */
export async function deleteApiToken(db: Database, hash: string): Promise<void> {
  await db.deleteFrom("api_tokens").where("hash", "=", hash).execute();
}

/** Forgets every bootstrap token. */
export async function deleteBootstrapTokens(db: Database): Promise<void> {
  await db.deleteFrom("api_tokens").where("kind", "=", "bootstrap").execute();
}
