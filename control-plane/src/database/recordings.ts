import type { Database, RecordingsTable } from "./tables.ts";

/** How far this recording is stored; undefined when nothing of it is. */
export async function recordingPosition(
  db: Database,
  sessionId: string,
): Promise<RecordingsTable | undefined> {
  return db.selectFrom("recordings").selectAll().where("session_id", "=", sessionId).executeTakeFirst();
}

/** Stores how far a recording is stored. The host that began it stays its owner. */
export async function savePosition(db: Database, position: RecordingsTable): Promise<void> {
  const { session_id: _session, host_id: _host, ...columns } = position;
  await db
    .insertInto("recordings")
    .values(position)
    .onConflict((conflict) => conflict.column("session_id").doUpdateSet(columns))
    .execute();
}
