import { GrowingTree } from "@sallyport/core/transparency/growing-tree.ts";
import { leafHash } from "@sallyport/core/transparency/hashing.ts";
import { subtreesOf } from "@sallyport/core/transparency/subtrees.ts";
import { concernsHosts } from "../audit/concerns-hosts.ts";
import { type AuditedEvent, auditLeaf } from "../audit/leaf.ts";
import { addSubtrees, readSubtrees } from "./audit-tree.ts";
import { notify } from "./notifications.ts";
import { inTransaction } from "./open-database.ts";
import type { Database } from "./tables.ts";

/** Most events of one statement. */
const AT_ONCE = 200;

/** Appends many audit events in their order, as one by one would, with a few statements for all of them. */
export async function addAuditEvents(db: Database, events: readonly AuditedEvent[]): Promise<void> {
  if (events.length === 0) return;
  await inTransaction(db, async (transaction) => {
    const first = await takeLeafIndexes(transaction, events.length);
    const parts = subtreesOf({ begin: 0, end: first });
    const read = await readSubtrees(transaction, parts);
    const tree = new GrowingTree(first, parts.map(read));
    for (let at = 0; at < events.length; at += AT_ONCE) {
      const some = events.slice(at, at + AT_ONCE);
      const rows = some.map((event, index) => ({ leaf_index: first + at + index, ...event }));
      await transaction.insertInto("audit_events").values(rows).execute();
      await addSubtrees(
        transaction,
        some.flatMap((event) => tree.append(leafHash(auditLeaf(event)))),
      );
    }
    if (events.some(({ type }) => concernsHosts(type))) await notify(transaction, { type: "log-grown" });
  });
}

/** Takes so many places in the tree, and returns the first; inside the transaction that fills them. */
async function takeLeafIndexes(db: Database, count: number): Promise<number> {
  const { size } = await db
    .updateTable("audit_tree")
    .set((eb) => ({ size: eb("size", "+", count) }))
    .returning("size")
    .executeTakeFirstOrThrow();
  return size - count;
}
