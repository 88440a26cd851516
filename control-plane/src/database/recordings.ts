import type { Database, RecordingsTable } from "./tables.ts";

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

/** Stores how far a recording is stored. The host that began it stays its owner. */
export async function savePosition(
  db: Database,
  position: Omit<RecordingsTable, "leaf_index">,
): Promise<void> {
  const { session_id: _session, host_id: _host, ...columns } = position;
  await db
    .insertInto("recordings")
    .values(position)
    .onConflict((conflict) => conflict.column("session_id").doUpdateSet(columns))
    .execute();
}
