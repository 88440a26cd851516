import { treeSize } from "./audit-tree.ts";
import type { Database } from "./tables.ts";

/** The first leaf that a stream has not delivered. */
export async function streamPosition(db: Database, name: string): Promise<number> {
  const row = await db
    .selectFrom("audit_streams")
    .select("next_leaf")
    .where("name", "=", name)
    .executeTakeFirst();
  return row?.next_leaf ?? 0;
}

/**
 * Takes a stream for this replica until `until` (milliseconds), or keeps it. Returns the first leaf that was not
 * delivered; undefined while another replica has it. A stream that is new begins with the first leaf.
 */
export async function claimStream(
  db: Database,
  name: string,
  claim: { by: string; now: number; until: number },
): Promise<number | undefined> {
  await db
    .insertInto("audit_streams")
    .values({ name, next_leaf: 0, claimed_by: null, claimed_until_ms: 0 })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .execute();
  const row = await db
    .updateTable("audit_streams")
    .set({ claimed_by: claim.by, claimed_until_ms: claim.until })
    .where("name", "=", name)
    .where(({ eb, or }) => or([eb("claimed_by", "=", claim.by), eb("claimed_until_ms", "<=", claim.now)]))
    .returning("next_leaf")
    .executeTakeFirst();
  return row?.next_leaf;
}

/** Notes what was delivered; false when another replica has the stream by now. */
export async function noteDelivered(
  db: Database,
  name: string,
  by: string,
  nextLeaf: number,
): Promise<boolean> {
  const result = await db
    .updateTable("audit_streams")
    .set({ next_leaf: nextLeaf })
    .where("name", "=", name)
    .where("claimed_by", "=", by)
    .where("next_leaf", "<", nextLeaf)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Gives a stream back, so that another replica need not wait. */
export async function releaseStream(db: Database, name: string, by: string): Promise<void> {
  await db
    .updateTable("audit_streams")
    .set({ claimed_by: null, claimed_until_ms: 0 })
    .where("name", "=", name)
    .where("claimed_by", "=", by)
    .execute();
}

/** How many events of the audit log each stream has yet to deliver, by `audit-stream:NAME`. */
export async function undeliveredEvents(db: Database): Promise<Record<string, number>> {
  const size = await treeSize(db);
  const streams = await db.selectFrom("audit_streams").select(["name", "next_leaf"]).execute();
  return Object.fromEntries(
    streams.map(({ name, next_leaf }) => [`audit-stream:${name}`, Math.max(0, size - next_leaf)]),
  );
}
