import type { Database } from "./tables.ts";

/** Stands for the right to change members and engagements. */
const LOCK = "lock";

/**
 * Lets one transaction at a time change members and engagements, until it ends: names, accounts and vendors have to fit
 * together across all of them.
 */
export async function lockPolicy(db: Database, now: number): Promise<void> {
  await noteApplied(db, { source: LOCK, hash: "", at: now });
}

/** The hash of what was applied last from this source. */
export async function appliedHash(db: Database, source: string): Promise<string | undefined> {
  const row = await db
    .selectFrom("applied_policies")
    .select("hash")
    .where("source", "=", source)
    .executeTakeFirst();
  return row?.hash;
}

/** Notes what was applied from a source. */
export async function noteApplied(
  db: Database,
  { source, hash, at }: { source: string; hash: string; at: number },
): Promise<void> {
  await db
    .insertInto("applied_policies")
    .values({ source, hash, applied_at: at })
    .onConflict((conflict) => conflict.column("source").doUpdateSet({ hash, applied_at: at }))
    .execute();
}
