import { Revocation, type RevocationLevel } from "@sallyport/core/policy/revocation.ts";
import { inTransaction } from "./open-database.ts";
import type { Database } from "./tables.ts";

/** Stores an entry under the next number: numbers have no gaps, so that a host notices what it missed. */
export async function addRevocation(db: Database, entry: Omit<Revocation, "sequence">): Promise<Revocation> {
  return inTransaction(db, async (transaction) => {
    const sequence = (await revocationSequence(transaction)) + 1;
    await transaction
      .insertInto("revocations")
      .values({ ...entry, sequence })
      .execute();
    return Revocation.parse({ ...entry, sequence });
  });
}

/** The whole list in order. */
export async function listRevocations(db: Database): Promise<Revocation[]> {
  return revocationsAfter(db, 0);
}

/** What was revoked after the entry with this number, in order. */
export async function revocationsAfter(db: Database, sequence: number): Promise<Revocation[]> {
  const rows = await db
    .selectFrom("revocations")
    .selectAll()
    .where("sequence", ">", sequence)
    .orderBy("sequence")
    .execute();
  return rows.map((row) => Revocation.parse(row));
}

/** The newest number, 0 when there is none. */
export async function revocationSequence(db: Database): Promise<number> {
  const row = await db
    .selectFrom("revocations")
    .select((expression) => expression.fn.max("sequence").as("sequence"))
    .executeTakeFirst();
  return row?.sequence ?? 0;
}

/** The newest entry against a certificate that this key ever had. */
export async function revokedCertificateOf(
  db: Database,
  keyFingerprint: string,
): Promise<Revocation | undefined> {
  const row = await db
    .selectFrom("revocations")
    .selectAll()
    .where("level", "=", "certificate")
    .where("target", "in", (inner) =>
      inner.selectFrom("certificates").select("serial").where("key_fingerprint", "=", keyFingerprint),
    )
    .orderBy("sequence", "desc")
    .executeTakeFirst();
  return row && Revocation.parse(row);
}

/** The newest entry against this target. */
export async function findRevocation(
  db: Database,
  level: RevocationLevel,
  target: string,
): Promise<Revocation | undefined> {
  const row = await db
    .selectFrom("revocations")
    .selectAll()
    .where("level", "=", level)
    .where("target", "=", target)
    .orderBy("sequence", "desc")
    .executeTakeFirst();
  return row && Revocation.parse(row);
}
