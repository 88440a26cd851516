import type { Database, StaffIdentitiesTable } from "./tables.ts";

/** The e-mail of the staff entry that this identity is pinned to. */
export async function staffEmailByIdentity(
  db: Database,
  issuer: string,
  subject: string,
): Promise<string | undefined> {
  const row = await db
    .selectFrom("staff_identities")
    .select("email")
    .where("issuer", "=", issuer)
    .where("subject", "=", subject)
    .executeTakeFirst();
  return row?.email;
}

/** Pins an identity to a staff entry; false when either is taken already. */
export async function pinStaffIdentity(db: Database, identity: StaffIdentitiesTable): Promise<boolean> {
  const result = await db
    .insertInto("staff_identities")
    .values(identity)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}
