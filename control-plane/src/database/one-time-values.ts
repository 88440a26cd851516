import { inTransaction } from "./open-database.ts";
import type { Database } from "./tables.ts";

/** Stores a challenge, and forgets those that are over. */
export async function addChallenge(
  db: Database,
  challenge: string,
  expiresAt: number,
  now: number,
): Promise<void> {
  // A transaction shares its commit with others that wait; a statement alone would not.
  await inTransaction(db, async (transaction) => {
    await transaction.deleteFrom("challenges").where("expires_at", "<=", now).execute();
    await transaction.insertInto("challenges").values({ challenge, expires_at: expiresAt }).execute();
  });
}

/** True while a challenge can be taken. */
export async function hasChallenge(db: Database, challenge: string, now: number): Promise<boolean> {
  const row = await db
    .selectFrom("challenges")
    .select("expires_at")
    .where("challenge", "=", challenge)
    .executeTakeFirst();
  return row !== undefined && row.expires_at > now;
}

/** Takes a challenge out; false when it is not there or is over. Of two that ask at once, one gets true. */
export async function takeChallenge(db: Database, challenge: string, now: number): Promise<boolean> {
  const row = await db
    .deleteFrom("challenges")
    .where("challenge", "=", challenge)
    .returning("expires_at")
    .executeTakeFirst();
  return row !== undefined && row.expires_at > now;
}

/** True when this was accepted before, as far as it is still remembered. */
export async function isTokenUsed(db: Database, hash: string): Promise<boolean> {
  const query = db.selectFrom("used_tokens").select("hash").where("hash", "=", hash);
  return (await query.executeTakeFirst()) !== undefined;
}

/** Notes that an ID token was accepted; false when it was before. Kept until the token is over anyway. */
export async function useToken(db: Database, hash: string, expiresAt: number, now: number): Promise<boolean> {
  await db.deleteFrom("used_tokens").where("expires_at", "<=", now).execute();
  const result = await db
    .insertInto("used_tokens")
    .values({ hash, expires_at: expiresAt })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}
