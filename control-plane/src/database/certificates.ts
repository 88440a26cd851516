import type { CertificatesTable, Database } from "./tables.ts";

/** Stores what was issued; false when the serial is taken. */
export async function addCertificate(db: Database, certificate: CertificatesTable): Promise<boolean> {
  const result = await db
    .insertInto("certificates")
    .values(certificate)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** The certificate with this serial (decimal). */
export async function certificateBySerial(
  db: Database,
  serial: string,
): Promise<CertificatesTable | undefined> {
  return db.selectFrom("certificates").selectAll().where("serial", "=", serial).executeTakeFirst();
}
