import { inSavepoint, TransactionLostError } from "./savepoint.ts";
import type { Database } from "./tables.ts";

/** Most pieces of work in one transaction: readers of SQLite wait for all of it. */
const AT_ONCE = 32;

interface Waiting {
  work(transaction: Database): Promise<unknown>;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/**
 * One writer at a time, and one commit for all that came while the one before was at it: a commit waits for the disk, and that
 * takes longer than most work. Each piece of work stands or falls on its own, in its savepoint, and hears that it is stored
 * when it is on the disk, as if it had been alone.
 */
export class GroupCommit {
  readonly #begin: (work: (transaction: Database) => Promise<void>) => Promise<void>;
  readonly #waiting: Waiting[] = [];
  #isWorking = false;

  /** `begin` runs its argument in a transaction and commits. */
  constructor(begin: (work: (transaction: Database) => Promise<void>) => Promise<void>) {
    this.#begin = begin;
  }

  /** Runs `work` when its turn has come; resolves when it is stored. */
  add(work: (transaction: Database) => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ work, resolve, reject });
      if (!this.#isWorking) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    while (this.#waiting.length > 0) await this.#commit(this.#waiting.splice(0, AT_ONCE));
    this.#isWorking = false;
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    const tell: (() => void)[] = [];
    try {
      await this.#begin(async (transaction) => {
        for (const { work, resolve, reject } of group) {
          if (group.length === 1) {
            const result = await work(transaction);
            tell.push(() => resolve(result));
            continue;
          }
          await inSavepoint(transaction, work).then(
            (result) => tell.push(() => resolve(result)),
            (error: unknown) => {
              // What came after would be stored outside of it.
              if (error instanceof TransactionLostError) throw error;
              tell.push(() => reject(error));
            },
          );
        }
      });
    } catch (error) {
      // Nothing of it is stored.
      for (const { reject } of group) reject(error);
      return;
    }
    for (const one of tell) one();
  }
}
