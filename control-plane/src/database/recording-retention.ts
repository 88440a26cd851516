import { heldRecordings } from "./recording-holds.ts";
import type { Database, RecordingsTable } from "./tables.ts";

/** Recordings that were complete by then, in seconds since the epoch, are past their retention; null: never. */
export interface Cutoffs {
  /** Of recordings whose engagement is of no vendor below. */
  others: number | null;
  vendors: Readonly<Record<string, number | null>>;
}

/** Recordings that ended before their end was noted count from now. */
export async function noteCompleted(db: Database, now: number): Promise<void> {
  await db
    .updateTable("recordings")
    .set({ completed_at: now })
    .where("complete", "=", 1)
    .where("completed_at", "is", null)
    .execute();
}

/** Complete recordings past their retention that nothing holds, oldest first. */
export async function dueRecordings(db: Database, cutoffs: Cutoffs, limit: number): Promise<string[]> {
  const rows = await due(db, cutoffs).orderBy("completed_at").limit(limit).execute();
  return rows.map(({ session_id }) => session_id);
}

/**
 * Marks a recording as deleted by its retention, if that is still so by what the database has at this moment; false when it
 * is not. Its bytes are to go after this is committed.
 */
export async function markDeleted(
  db: Database,
  sessionId: string,
  cutoffs: Cutoffs,
  now: number,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable("recordings")
    .set({ deleted_at: now, deleted_by: "retention" })
    .where("session_id", "=", sessionId)
    .where("deleted_at", "is", null)
    .where("session_id", "in", due(db, cutoffs).where("due.session_id", "=", sessionId))
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Deleted recordings whose bytes may be there yet. */
export async function recordingsToRemove(db: Database, limit: number): Promise<RecordingsTable[]> {
  return db
    .selectFrom("recordings")
    .selectAll()
    .where("deleted_at", "is not", null)
    .where("removed_at", "is", null)
    .orderBy("deleted_at")
    .limit(limit)
    .execute();
}

/** Notes that the bytes of a deleted recording are gone. */
export async function markRemoved(db: Database, sessionId: string, now: number): Promise<void> {
  await db.deleteFrom("recording_parts").where("session_id", "=", sessionId).execute();
  await db.updateTable("recordings").set({ removed_at: now }).where("session_id", "=", sessionId).execute();
}

function due(db: Database, { others, vendors }: Cutoffs) {
  const named = Object.keys(vendors);
  return db
    .selectFrom("recordings as due")
    .innerJoin("sessions", "sessions.id", "due.session_id")
    .leftJoin("engagements", "engagements.id", "sessions.engagement_id")
    .select("due.session_id")
    .where("due.complete", "=", 1)
    .where("due.deleted_at", "is", null)
    .where("due.session_id", "not in", heldRecordings(db))
    .where(({ eb, and, or }) =>
      or([
        ...Object.entries(vendors).flatMap(([vendor, cutoff]) =>
          cutoff === null
            ? []
            : [and([eb("engagements.vendor", "=", vendor), eb("due.completed_at", "<=", cutoff)])],
        ),
        ...(others === null
          ? []
          : [
              and([
                eb("due.completed_at", "<=", others),
                ...(named.length === 0
                  ? []
                  : [or([eb("engagements.vendor", "is", null), eb("engagements.vendor", "not in", named)])]),
              ]),
            ]),
      ]),
    );
}
