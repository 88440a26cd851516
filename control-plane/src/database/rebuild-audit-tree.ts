import { GrowingTree } from "@sallyport/core/transparency/growing-tree.ts";
import { leafHash } from "@sallyport/core/transparency/hashing.ts";
import { auditLeaf } from "../audit/leaf.ts";
import { auditEventsFrom } from "./audit-events.ts";
import { addSubtrees } from "./audit-tree.ts";
import { inTransaction } from "./open-database.ts";
import { saveRecordingLeaf } from "./recordings.ts";
import type { Database } from "./tables.ts";

const AT_ONCE = 500;

/**
 * Makes the tree anew from the events that there are, numbered anew where some are missing. For a new log only: what was
 * signed before does not hold for it.
 */
export async function rebuildAuditTree(database: Database): Promise<void> {
  await inTransaction(database, async (db) => {
    await db.deleteFrom("audit_nodes").execute();
    await db.updateTable("recordings").set({ leaf_index: null }).execute();
    const tree = new GrowingTree();
    for (let next = 0; ; ) {
      const events = await auditEventsFrom(db, next, AT_ONCE);
      if (events.length === 0) break;
      for (const { leaf_index, ...event } of events) {
        const index = tree.size;
        next = leaf_index + 1;
        if (leaf_index !== index)
          await db
            .updateTable("audit_events")
            .set({ leaf_index: index })
            .where("leaf_index", "=", leaf_index)
            .execute();
        await addSubtrees(db, tree.append(leafHash(auditLeaf(event))));
        await noteRecording(db, event, index);
      }
    }
    await db.updateTable("audit_tree").set({ size: tree.size }).execute();
  });
}

/** Notes which leaf tells of a recording's end. */
async function noteRecording(
  db: Database,
  { type, data_json }: { type: string; data_json: string },
  index: number,
): Promise<void> {
  const session = type === "recording-complete" && /"session":"(ses_[0-9a-z]{26})"/.exec(data_json)?.[1];
  if (!session) return;
  await saveRecordingLeaf(db, session, index);
}
