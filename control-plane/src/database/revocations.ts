import {
  Revocation,
  type RevocationLevel,
  type RevocationSubject,
  reaches,
  revocationTargets,
} from "@sallyport/core/policy/revocation.ts";
import { chainRevocation, EMPTY_REVOCATION_CHAIN } from "@sallyport/core/policy/revocation-chain.ts";
import type { Selectable } from "kysely";
import type { z } from "zod";
import { inTransaction } from "./open-database.ts";
import type { Database, RevocationsTable } from "./tables.ts";

/** Where the list stands: its newest number, and the chain there. */
export interface RevocationHead {
  sequence: number;
  chain: string;
}

/** Stores an entry under the next number: numbers have no gaps, so that a host notices what it missed. */
export async function addRevocation(
  db: Database,
  entry: Omit<z.input<typeof Revocation>, "sequence">,
): Promise<Revocation> {
  return inTransaction(db, async (transaction) => {
    const head = await revocationHead(transaction);
    const added = Revocation.parse({ ...entry, sequence: head.sequence + 1 });
    const { before, ...rest } = added;
    const chain = chainRevocation(head.chain, added);
    await transaction
      .insertInto("revocations")
      .values({ ...rest, signed_in_before: before, chain })
      .execute();
    return added;
  });
}

/** Where the list stands. */
export async function revocationHead(db: Database): Promise<RevocationHead> {
  const row = await db
    .selectFrom("revocations")
    .select(["sequence", "chain"])
    .orderBy("sequence", "desc")
    .limit(1)
    .executeTakeFirst();
  return row ?? { sequence: 0, chain: EMPTY_REVOCATION_CHAIN };
}

function toRevocation({
  signed_in_before,
  chain: _chain,
  ...rest
}: Selectable<RevocationsTable>): Revocation {
  return Revocation.parse({ ...rest, before: signed_in_before });
}

/** The entry that ends this login or sign-in, as a host would find it; what is not known of it is left out. */
export async function revocationOf(
  db: Database,
  subject: Partial<RevocationSubject> & Pick<RevocationSubject, "issuer" | "subject" | "signedInAt">,
): Promise<Revocation | undefined> {
  const unknown = { certificateSerial: "", keyFingerprint: "", memberId: "", engagementId: "", vendors: [] };
  for (const { level, target } of revocationTargets({ ...unknown, ...subject })) {
    const entry = target === "" ? undefined : await findRevocation(db, level, target);
    if (entry !== undefined && reaches(entry, subject.signedInAt)) return entry;
  }
  return undefined;
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
  return rows.map(toRevocation);
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
  return row && toRevocation(row);
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
  return row && toRevocation(row);
}
