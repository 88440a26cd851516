import type { Database } from "./tables.ts";

/**
 * Notes a SET of an issuer, and forgets those that are too old to be taken again anyway. False when it was noted before.
 * Times in seconds.
 */
export async function noteSecurityEvent(
  db: Database,
  { issuer, jti, forgetAt, now }: { issuer: string; jti: string; forgetAt: number; now: number },
): Promise<boolean> {
  await db.deleteFrom("received_security_events").where("forget_at", "<", now).execute();
  const result = await db
    .insertInto("received_security_events")
    .values({ issuer, jti, received_at: now, forget_at: forgetAt })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}
