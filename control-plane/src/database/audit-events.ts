import { leafHash } from "@sallyport/core/transparency/hashing.ts";
import { appendLeaf, subtreesToMerge } from "@sallyport/core/transparency/subtrees.ts";
import { concernsHosts } from "../audit/concerns-hosts.ts";
import { type AuditedEvent, auditLeaf } from "../audit/leaf.ts";
import { addSubtrees, readSubtrees, takeLeafIndex } from "./audit-tree.ts";
import { notify } from "./notifications.ts";
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
    if (concernsHosts(event.type)) await notify(transaction, { type: "log-grown" });
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

/** How many events of each type there are from leaf `from` on, up to and without `to`. */
export async function eventsByType(
  db: Database,
  from: number,
  to: number,
): Promise<{ type: string; events: number }[]> {
  const rows = await db
    .selectFrom("audit_events")
    .select(({ fn }) => ["type", fn.countAll().as("events")])
    .where("leaf_index", ">=", from)
    .where("leaf_index", "<", to)
    .groupBy("type")
    .execute();
  return rows.map(({ type, events }) => ({ type, events: Number(events) }));
}

/** The last event from leaf `first` on, and before `end`, of a type that is none of `types`; undefined when there is none. */
export async function lastLeafOfOthers(
  db: Database,
  { first, end }: { first: number; end: number },
  types: readonly string[],
): Promise<number | undefined> {
  const row = await db
    .selectFrom("audit_events")
    .select((eb) => eb.fn.max("leaf_index").as("leaf"))
    .where("leaf_index", ">=", first)
    .where("leaf_index", "<", end)
    .where("type", "not in", types)
    .executeTakeFirst();
  return row?.leaf ?? undefined;
}
