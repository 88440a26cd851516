import { leafHash } from "@sallyport/core/transparency/hashing.ts";
import { appendLeaf, subtreesToMerge } from "@sallyport/core/transparency/subtrees.ts";
import { type AuditedEvent, auditLeaf } from "../audit/leaf.ts";
import { addSubtrees, readSubtrees, takeLeafIndex } from "./audit-tree.ts";
import { inTransaction } from "./open-database.ts";
import type { AuditEventsTable, Database } from "./tables.ts";

/**
 * Appends an audit event as the next leaf of the tree: both are stored or neither. Events are never changed. Returns the
 * leaf's index.
 */
export async function addAuditEvent(db: Database, event: AuditedEvent): Promise<number> {
  return inTransaction(db, async (transaction) => {
    const index = await takeLeafIndex(transaction);
    await transaction
      .insertInto("audit_events")
      .values({ leaf_index: index, ...event })
      .execute();
    const read = await readSubtrees(transaction, subtreesToMerge(index));
    await addSubtrees(transaction, appendLeaf(index, leafHash(auditLeaf(event)), read));
    return index;
  });
}

/** The newest audit events, newest first. */
export async function listAuditEvents(db: Database, limit: number): Promise<AuditEventsTable[]> {
  return db.selectFrom("audit_events").selectAll().orderBy("leaf_index", "desc").limit(limit).execute();
}

/** Audit events with the hash (base64) that the tree has for each, from a leaf on, in order. */
export async function auditEventsFrom(
  db: Database,
  first: number,
  limit: number,
): Promise<(AuditEventsTable & { hash: string | null })[]> {
  return db
    .selectFrom("audit_events")
    .leftJoin("audit_nodes", (join) =>
      join.onRef("audit_nodes.position", "=", "audit_events.leaf_index").on("audit_nodes.level", "=", 0),
    )
    .selectAll("audit_events")
    .select("audit_nodes.hash")
    .where("leaf_index", ">=", first)
    .orderBy("leaf_index")
    .limit(limit)
    .execute();
}
