import type { ApprovalMessagesTable, Database } from "./tables.ts";

/** Notes that the webhook is to be told of a request. */
export async function addMessage(db: Database, requestId: string, now: number): Promise<void> {
  const row = { request_id: requestId, attempts: 0, next_at: now };
  await db
    .insertInto("approval_messages")
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** Messages that are due, the oldest first. */
export async function dueMessages(
  db: Database,
  now: number,
  limit: number,
): Promise<ApprovalMessagesTable[]> {
  return db
    .selectFrom("approval_messages")
    .selectAll()
    .where("next_at", "<=", now)
    .orderBy("next_at")
    .orderBy("request_id")
    .limit(limit)
    .execute();
}

/** Takes a message on until `nextAt`; false when another replica has. */
export async function claimMessage(
  db: Database,
  message: ApprovalMessagesTable,
  nextAt: number,
): Promise<boolean> {
  const result = await db
    .updateTable("approval_messages")
    .set({ attempts: message.attempts + 1, next_at: nextAt })
    .where("request_id", "=", message.request_id)
    .where("attempts", "=", message.attempts)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** The message has arrived, or is not needed any more. */
export async function removeMessage(db: Database, requestId: string): Promise<void> {
  await db.deleteFrom("approval_messages").where("request_id", "=", requestId).execute();
}
