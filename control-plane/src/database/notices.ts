import type { Database, NoticesTable } from "./tables.ts";

/** What is known of a notice before anybody tried to send it. */
export type NewNotice = Omit<NoticesTable, "attempts" | "next_attempt_at" | "done_at" | "outcome">;

/** Most rows of one statement. */
const AT_ONCE = 500;

/** Puts notices into the outbox; one whose key is there already, sent or not, is left as it is. */
export async function addNotices(db: Database, notices: readonly NewNotice[]): Promise<void> {
  for (let from = 0; from < notices.length; from += AT_ONCE) {
    const rows = notices.slice(from, from + AT_ONCE).map((notice) => ({
      ...notice,
      ...{ attempts: 0, next_attempt_at: notice.created_at, done_at: null, outcome: null },
    }));
    await db
      .insertInto("notices")
      .values(rows)
      .onConflict((conflict) => conflict.column("key").doNothing())
      .execute();
  }
}

/** Notices whose time has come, the longest waiting first. */
export async function dueNotices(db: Database, now: number, limit: number): Promise<NoticesTable[]> {
  return db
    .selectFrom("notices")
    .selectAll()
    .where("done_at", "is", null)
    .where("next_attempt_at", "<=", now)
    .orderBy("next_attempt_at")
    .orderBy("id")
    .limit(limit)
    .execute();
}

/** Takes a notice for one attempt; false when another replica has taken it. It comes up again at `retryAt` unless done. */
export async function takeNotice(
  db: Database,
  notice: Pick<NoticesTable, "id" | "attempts">,
  retryAt: number,
): Promise<boolean> {
  const result = await db
    .updateTable("notices")
    .set({ attempts: notice.attempts + 1, next_attempt_at: retryAt })
    .where("id", "=", notice.id)
    .where("attempts", "=", notice.attempts)
    .where("done_at", "is", null)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Nothing more is to be done for this notice: `outcome` says why. False when that was so before. */
export async function closeNotice(db: Database, id: string, at: number, outcome: string): Promise<boolean> {
  const result = await db
    .updateTable("notices")
    .set({ done_at: at, outcome })
    .where("id", "=", id)
    .where("done_at", "is", null)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** What was to be said about the end of an engagement is no longer true. */
export async function forgetNotices(db: Database, engagementId: string, at: number): Promise<void> {
  await db
    .updateTable("notices")
    .set({ done_at: at, outcome: "the engagement was changed before it was sent" })
    .where("about", "=", engagementId)
    .where("kind", "=", "engagement-ends")
    .where("done_at", "is", null)
    .execute();
}

/** True when a notice with this key was queued, sent or not. */
export async function hasNotice(db: Database, key: string): Promise<boolean> {
  const row = await db.selectFrom("notices").select("id").where("key", "=", key).executeTakeFirst();
  return row !== undefined;
}

/** Removes notices that were done before `time`. */
export async function dropOldNotices(db: Database, time: number): Promise<void> {
  await db.deleteFrom("notices").where("done_at", "<", time).execute();
}
