import { sql } from "kysely";
import type { Database } from "./tables.ts";

/** The whole transaction is gone, not only a part: SQLite undoes it by itself when the disk is full, for one. */
export class TransactionLostError extends Error {}

/**
 * Runs a part of a transaction that is undone alone when it fails; the rest goes on. `onUndone` hears of it, since locks
 * that were taken meanwhile go with it. Throws {@link TransactionLostError} when nothing of the transaction is left.
 */
export async function inSavepoint<T>(
  transaction: Database,
  work: (transaction: Database) => Promise<T>,
  onUndone: () => void = () => {},
): Promise<T> {
  await sql`savepoint part`.execute(transaction);
  try {
    const result = await work(transaction);
    await sql`release savepoint part`.execute(transaction);
    return result;
  } catch (error) {
    await sql`rollback to savepoint part`.execute(transaction).catch(() => {
      throw new TransactionLostError("the transaction was ended by the database", { cause: error });
    });
    onUndone();
    throw error;
  }
}
