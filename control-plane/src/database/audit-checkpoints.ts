import type { AuditCheckpointsTable, Database } from "./tables.ts";

/** Keeps a signed checkpoint; one that is kept already stays. */
export async function addCheckpoint(db: Database, checkpoint: AuditCheckpointsTable): Promise<void> {
  await db
    .insertInto("audit_checkpoints")
    .values(checkpoint)
    .onConflict((conflict) => conflict.columns(["origin", "size"]).doNothing())
    .execute();
}

/** True when any checkpoint was ever signed. */
export async function hasCheckpoints(db: Database): Promise<boolean> {
  return (await db.selectFrom("audit_checkpoints").select("size").limit(1).executeTakeFirst()) !== undefined;
}

/** The newest checkpoint that the log of this name has, whichever replica signed it. */
export async function newestCheckpoint(db: Database, origin: string): Promise<string | undefined> {
  const row = await db
    .selectFrom("audit_checkpoints")
    .select("note")
    .where("origin", "=", origin)
    .orderBy("size", "desc")
    .limit(1)
    .executeTakeFirst();
  return row?.note;
}
