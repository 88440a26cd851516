import type { Selectable } from "kysely";
import { inTransaction } from "./open-database.ts";
import type { Database, RevocationAcknowledgementsTable } from "./tables.ts";

/** What one host says of the revocation list. */
export interface HostAcknowledgement {
  hostId: string;
  /** It has less than it once had: no more than up to this number. */
  lowerTo: number | null;
  /** All entries up to `sequence` are in force there, said at `atMs`, and what that ended. */
  answer: { sequence: number; endedSessions: readonly string[]; atMs: number } | null;
}

/** Rows in one statement; SQLite takes some 32,000 values. */
const AT_ONCE = 500;
/** Answers to revocations before so many newest ones go. */
const KEPT = 1000;

/**
 * Keeps what hosts say: how far each has the list, which never gets less but by their own word, and what each answer ended. An
 * answer that is there already stays as it was first.
 */
export async function noteAcknowledgements(
  db: Database,
  news: readonly HostAcknowledgement[],
): Promise<void> {
  const answers = news.flatMap(({ hostId, answer }) => (answer === null ? [] : [{ hostId, ...answer }]));
  await inTransaction(db, async (transaction) => {
    for (const { hostId, lowerTo } of news) {
      if (lowerTo === null) continue;
      await transaction
        .updateTable("hosts")
        .set({ revocation_sequence: lowerTo })
        .where("id", "=", hostId)
        .where("revocation_sequence", ">", lowerTo)
        .execute();
    }
    const alike = Map.groupBy(answers, ({ sequence, atMs }) => `${sequence} ${Math.floor(atMs / 1000)}`);
    for (const same of alike.values()) {
      for (const some of inParts(same)) {
        const [{ sequence, atMs } = { sequence: 0, atMs: 0 }] = some;
        await transaction
          .updateTable("hosts")
          .set({ revocation_sequence: sequence, revocation_acknowledged_at: Math.floor(atMs / 1000) })
          .where(
            "id",
            "in",
            some.map(({ hostId }) => hostId),
          )
          .where("revocation_sequence", "<", sequence)
          .execute();
      }
    }
    for (const some of inParts(answers)) {
      const rows = some.map(({ hostId, sequence, endedSessions, atMs }) => ({
        sequence,
        host_id: hostId,
        ended_sessions_json: JSON.stringify(endedSessions),
        at_ms: atMs,
      }));
      await transaction
        .insertInto("revocation_acknowledgements")
        .values(rows)
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
    const newest = Math.max(0, ...answers.map(({ sequence }) => sequence));
    await transaction
      .deleteFrom("revocation_acknowledgements")
      .where("sequence", "<", newest - KEPT)
      .execute();
  });
}

/** The hosts that have said that they have all of these entries, each with the sessions that these ended there. */
export async function hostsThatHave(
  db: Database,
  sequences: readonly number[],
): Promise<Map<string, string[]>> {
  const hosts = await db
    .selectFrom("hosts")
    .select("id")
    .where("revocation_sequence", ">=", Math.max(...sequences))
    .where("removed_at", "is", null)
    .execute();
  const have = new Map<string, string[]>(hosts.map(({ id }) => [id, []]));
  for (const { host_id, ended_sessions_json } of await acknowledgementsOf(db, sequences))
    have.get(host_id)?.push(...(JSON.parse(ended_sessions_json) as string[]));
  return have;
}

/** What hosts answered to these entries, and where an answer to a later one means the last of them, too, that one. */
export async function acknowledgementsOf(
  db: Database,
  sequences: readonly number[],
): Promise<Selectable<RevocationAcknowledgementsTable>[]> {
  const [first, last] = [Math.min(...sequences), Math.max(...sequences)];
  return db
    .selectFrom("revocation_acknowledgements")
    .leftJoin(
      (rest) =>
        rest
          .selectFrom("revocation_acknowledgements")
          .select(({ fn }) => ["host_id as covering_host", fn.min("sequence").as("covering")])
          .where("sequence", ">=", last)
          .groupBy("host_id")
          .as("covers"),
      (join) => join.onRef("covering_host", "=", "host_id"),
    )
    .selectAll("revocation_acknowledgements")
    .where("sequence", ">=", first)
    .where(({ or, eb, ref }) => or([eb("covering", "is", null), eb("sequence", "<=", ref("covering"))]))
    .orderBy("sequence")
    .execute();
}

function inParts<T>(items: readonly T[]): T[][] {
  const parts: T[][] = [];
  for (let at = 0; at < items.length; at += AT_ONCE) parts.push(items.slice(at, at + AT_ONCE));
  return parts;
}
