import type { Insertable, Selectable } from "kysely";
import type { Database, RevocationAcknowledgementsTable } from "./tables.ts";

/** Keeps what hosts answered; what is there already stays. Answers to revocations before the newest thousand go. */
export async function addAcknowledgements(
  db: Database,
  answers: readonly Insertable<RevocationAcknowledgementsTable>[],
): Promise<void> {
  await db
    .insertInto("revocation_acknowledgements")
    .values([...answers])
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const newest = Math.max(...answers.map(({ sequence }) => sequence));
  await db
    .deleteFrom("revocation_acknowledgements")
    .where("sequence", "<", newest - 1000)
    .execute();
}

/** What was answered to these revocations so far. */
export async function acknowledgementsOf(
  db: Database,
  sequences: readonly number[],
): Promise<Selectable<RevocationAcknowledgementsTable>[]> {
  return db
    .selectFrom("revocation_acknowledgements")
    .selectAll()
    .where("sequence", "in", sequences)
    .execute();
}
