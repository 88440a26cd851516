import { inTransaction } from "./open-database.ts";
import type { Database, RecordingPartsTable, RecordingsTable } from "./tables.ts";

/** How far this recording is stored; undefined when nothing of it is. */
export async function recordingPosition(
  db: Database,
  sessionId: string,
): Promise<RecordingsTable | undefined> {
  return db.selectFrom("recordings").selectAll().where("session_id", "=", sessionId).executeTakeFirst();
}

/** Notes which leaf of the audit log tells of a recording's end. */
export async function saveRecordingLeaf(db: Database, sessionId: string, index: number): Promise<void> {
  await db.updateTable("recordings").set({ leaf_index: index }).where("session_id", "=", sessionId).execute();
}

/** What a batch of blocks changes in a recording's row. */
export type Position = Omit<
  RecordingsTable,
  "leaf_index" | "deleted_at" | "deleted_by" | "removed_at" | "tidied_at"
>;

/**
 * Stores how far a recording is stored. `before` is the row that the blocks were judged by; false when it is another by
 * now, and nothing was changed: a replica came first. The host that began a recording stays its owner.
 */
export async function savePosition(
  db: Database,
  position: Position,
  before: RecordingsTable | undefined,
): Promise<boolean> {
  const { session_id, host_id: _host, storage: _storage, ...columns } = position;
  if (before === undefined) {
    const none = { leaf_index: null, deleted_at: null, deleted_by: null, removed_at: null, tidied_at: null };
    const { numInsertedOrUpdatedRows } = await db
      .insertInto("recordings")
      .values({ ...position, ...none })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    return numInsertedOrUpdatedRows === 1n;
  }
  const { numUpdatedRows } = await db
    .updateTable("recordings")
    .set(columns)
    .where("session_id", "=", session_id)
    .where("next_sequence", "=", before.next_sequence)
    .where("head_hash", "=", before.head_hash)
    .where("complete", "=", 0)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Where the parts of a recording in object storage are, in order. */
export async function recordingParts(db: Database, sessionId: string): Promise<RecordingPartsTable[]> {
  return db
    .selectFrom("recording_parts")
    .selectAll()
    .where("session_id", "=", sessionId)
    .orderBy("start")
    .execute();
}

/** Adds parts of a recording. */
export async function addRecordingParts(db: Database, parts: readonly RecordingPartsTable[]): Promise<void> {
  if (parts.length > 0)
    await db
      .insertInto("recording_parts")
      .values([...parts])
      .execute();
}

/** Puts parts in the place of others; false when those are not what there is any more, and nothing was changed. */
export async function replaceRecordingParts(
  db: Database,
  sessionId: string,
  before: readonly RecordingPartsTable[],
  after: readonly RecordingPartsTable[],
): Promise<boolean> {
  return inTransaction(db, async (transaction) => {
    const { numDeletedRows } = await transaction
      .deleteFrom("recording_parts")
      .where("session_id", "=", sessionId)
      .executeTakeFirst();
    if (numDeletedRows !== BigInt(before.length)) throw CHANGED;
    await addRecordingParts(transaction, after);
    return true;
  }).catch((error: unknown) => {
    if (error !== CHANGED) throw error;
    return false;
  });
}

const CHANGED = new Error("the parts have changed");

/** Complete recordings in object storage whose objects are as they came. */
export async function untidyRecordings(db: Database, limit: number): Promise<RecordingsTable[]> {
  return db
    .selectFrom("recordings")
    .selectAll()
    .where("storage", "is not", null)
    .where("complete", "=", 1)
    .where("deleted_at", "is", null)
    .where("tidied_at", "is", null)
    .limit(limit)
    .execute();
}

/** Notes that a recording's objects are few. */
export async function markTidied(db: Database, sessionId: string, now: number): Promise<void> {
  await db.updateTable("recordings").set({ tidied_at: now }).where("session_id", "=", sessionId).execute();
}
