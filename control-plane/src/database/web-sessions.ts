import type { Database, WebCodesTable, WebSessionsTable } from "./tables.ts";

/** Stores a code by its hash, and forgets those that are over. */
export async function addWebCode(db: Database, code: WebCodesTable, now: number): Promise<void> {
  await db.deleteFrom("web_codes").where("expires_at", "<=", now).execute();
  await db.insertInto("web_codes").values(code).execute();
}

/** The code of this hash, which stays good; undefined when there is none, or it is over. */
export async function findWebCode(
  db: Database,
  hash: string,
  now: number,
): Promise<WebCodesTable | undefined> {
  return db
    .selectFrom("web_codes")
    .selectAll()
    .where("hash", "=", hash)
    .where("expires_at", ">", now)
    .executeTakeFirst();
}

/** Takes a code out; false when it is not there. Of two that ask at once, one gets true. */
export async function takeWebCode(db: Database, hash: string): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom("web_codes").where("hash", "=", hash).executeTakeFirst();
  return numDeletedRows === 1n;
}

/** Stores the sign-in of a browser by the hash of its cookie, and forgets those that are over. */
export async function addWebSession(db: Database, session: WebSessionsTable, now: number): Promise<void> {
  await db.deleteFrom("web_sessions").where("expires_at", "<=", now).execute();
  await db.insertInto("web_sessions").values(session).execute();
}

/** The sign-in of this hash, unless it is over. */
export async function findWebSession(
  db: Database,
  hash: string,
  now: number,
): Promise<WebSessionsTable | undefined> {
  return db
    .selectFrom("web_sessions")
    .selectAll()
    .where("hash", "=", hash)
    .where("expires_at", ">", now)
    .executeTakeFirst();
}

/** Forgets the sign-in of a browser. */
export async function deleteWebSession(db: Database, hash: string): Promise<void> {
  await db.deleteFrom("web_sessions").where("hash", "=", hash).execute();
}
