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

/** `iat` of the newest sign-in that somebody has a certificate of, in seconds; 0 where there is none. */
export async function newestSignIn(db: Database, issuer: string, subject: string): Promise<number> {
  const row = await db
    .selectFrom("certificates")
    .select((expression) => expression.fn.max("signed_in_at").as("newest"))
    .where("issuer", "=", issuer)
    .where("subject", "=", subject)
    .executeTakeFirst();
  return row?.newest ?? 0;
}

/** Likewise of all whom a revocation of this level and target reaches. */
export async function newestSignInOf(
  db: Database,
  { level, target }: { level: "member" | "vendor" | "issuer"; target: string },
): Promise<number> {
  const row = await db
    .selectFrom("certificates")
    .select((expression) => expression.fn.max("signed_in_at").as("newest"))
    .$if(level === "issuer", (query) => query.where("issuer", "=", target))
    .$if(level === "member", (query) => query.where("member_id", "=", target))
    .$if(level === "vendor", (query) => query.where("member_id", "in", membersOfVendor(db, target)))
    .executeTakeFirst();
  return row?.newest ?? 0;
}

/** Of the vendor itself, and whoever is in an engagement of theirs. */
function membersOfVendor(db: Database, vendor: string) {
  return db
    .selectFrom("members")
    .select("members.id")
    .where("vendor", "=", vendor)
    .union(
      db
        .selectFrom("engagement_members")
        .innerJoin("engagements", "engagements.id", "engagement_members.engagement_id")
        .select("engagement_members.member_id as id")
        .where("engagements.vendor", "=", vendor),
    );
}
