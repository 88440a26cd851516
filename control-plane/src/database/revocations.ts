import {
  narrows,
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

/** An entry that is to be stored, with what only we keep of it. */
export interface NewRevocation extends Omit<z.input<typeof Revocation>, "sequence"> {
  /** Who or what it is about, as people read it. */
  name?: string | null;
  /** Of the entries of one request: id of the first, which itself has none. */
  requestId?: string;
}

/** Stores an entry under the next number: numbers have no gaps, so that a host notices what it missed. */
export async function addRevocation(
  db: Database,
  { name, requestId, ...entry }: NewRevocation,
): Promise<Revocation> {
  return inTransaction(db, async (transaction) => {
    const head = await revocationHead(transaction);
    const added = Revocation.parse({ ...entry, sequence: head.sequence + 1 });
    const { before, ...rest } = added;
    const chain = chainRevocation(head.chain, added);
    await transaction
      .insertInto("revocations")
      .values({ ...rest, signed_in_before: before, chain, name: name ?? null, request_id: requestId ?? null })
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

/** An entry as hosts have it. */
export function toRevocation(row: Selectable<RevocationsTable>): Revocation {
  const { id, sequence, level, target, at, by, reason, signed_in_before: before } = row;
  return Revocation.parse({ id, sequence, level, target, at, by, reason, before });
}

/** What is known of a login or sign-in that may be revoked; what is left out is not looked for. */
export type PartialSubject = Partial<RevocationSubject> &
  Pick<RevocationSubject, "issuer" | "subject" | "signedInAt">;

/** The entry that ends this login or sign-in, as a host would find it: the narrowest that reaches it. One query. */
export async function revocationOf(db: Database, subject: PartialSubject): Promise<Revocation | undefined> {
  return (await revocationsOf(db, subject))[0];
}

/** All that reach it, the narrowest first. */
export async function revocationsOf(db: Database, subject: PartialSubject): Promise<Revocation[]> {
  const unknown = { certificateSerial: "", keyFingerprint: "", memberId: "", engagementId: "", vendors: [] };
  const wanted = revocationTargets({ ...unknown, ...subject }).filter(({ target }) => target !== "");
  const rows = await db
    .selectFrom("revocations")
    .selectAll()
    .where("sequence", "in", (newest) =>
      newest
        .selectFrom("revocations")
        .select(({ fn }) => fn.max("sequence").as("sequence"))
        .where(({ eb, or, and }) =>
          or(wanted.map(({ level, target }) => and([eb("level", "=", level), eb("target", "=", target)]))),
        )
        .groupBy(["level", "target"]),
    )
    .execute();
  return wanted
    .flatMap(({ level, target }) => rows.find((row) => row.level === level && row.target === target) ?? [])
    .map(toRevocation)
    .filter((entry) => reaches(entry, subject.signedInAt));
}

/** The whole list in order. */
export async function listRevocations(db: Database): Promise<Revocation[]> {
  return revocationsAfter(db, 0);
}

/** What was revoked after the entry with this number, in order; the first `most` of it. */
export async function revocationsAfter(
  db: Database,
  sequence: number,
  most = Number.MAX_SAFE_INTEGER,
): Promise<Revocation[]> {
  const rows = await db
    .selectFrom("revocations")
    .selectAll()
    .where("sequence", ">", sequence)
    .orderBy("sequence")
    .limit(most)
    .execute();
  return rows.map(toRevocation);
}

/** The chain at this number; undefined where the list does not reach so far. */
export async function revocationChainAt(db: Database, sequence: number): Promise<string | undefined> {
  if (sequence === 0) return EMPTY_REVOCATION_CHAIN;
  const row = await db
    .selectFrom("revocations")
    .select("chain")
    .where("sequence", "=", sequence)
    .executeTakeFirst();
  return row?.chain;
}

/** True when this entry gives back some of what the one before it for the same target took. */
export async function isLifting(db: Database, entry: Revocation): Promise<boolean> {
  const { level, target, sequence, before } = entry;
  if (before === null) return false;
  const row = await db
    .selectFrom("revocations")
    .select("signed_in_before")
    .where("level", "=", level)
    .where("target", "=", target)
    .where("sequence", "<", sequence)
    .orderBy("sequence", "desc")
    .limit(1)
    .executeTakeFirst();
  return row !== undefined && !narrows(entry, { before: row.signed_in_before });
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

/** What people read for a target that stands in the list, or the target itself; undefined where it does not. */
export async function revocationName(
  db: Database,
  level: RevocationLevel,
  target: string,
): Promise<string | undefined> {
  const row = await db
    .selectFrom("revocations")
    .select("name")
    .where("level", "=", level)
    .where("target", "=", target)
    .orderBy("sequence", "desc")
    .executeTakeFirst();
  return row && (row.name ?? target);
}

/** True where everything of this target was revoked at that moment (seconds since the epoch) or later, lifted since or not. */
export async function wasRevokedSince(
  db: Database,
  { level, target }: { level: RevocationLevel; target: string },
  moment: number,
): Promise<boolean> {
  const row = await db
    .selectFrom("revocations")
    .select("sequence")
    .where("level", "=", level)
    .where("target", "=", target)
    .where("signed_in_before", "is", null)
    .where("at", ">=", moment)
    .executeTakeFirst();
  return row !== undefined;
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
