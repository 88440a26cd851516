import { PostgresAdapter, sql } from "kysely";
import { GroupCommit } from "./group-commit.ts";
import { inSavepoint } from "./savepoint.ts";
import type { Database } from "./tables.ts";

/*
 * One writer at a time, as docs/decisions/0016-one-writer-at-a-time.md has it. SQLite is like that; on PostgreSQL it takes an
 * advisory lock, which goes with the transaction however that ends.
 */

/** The two kinds of advisory locks: any constants will do, as long as nobody else in this database uses them. */
const WRITE_LOCK = 0x53_70_00_01;
const NAMED_LOCK = 0x53_70_00_02;

/** Of the pool's connections, so many at most are with {@link exclusively}: it may hang on a disk. */
const MOST_EXCLUSIVE = 6;

/** Transactions that hold the lock. */
const holders = new WeakSet<Database>();
/** Transactions of {@link exclusively}, of which `inTransaction` is a part that may fail on its own. */
const exclusive = new WeakSet<Database>();
/** Who waits in this process, by database: a waiter there costs no connection. */
const writers = new WeakMap<Database, GroupCommit>();
const exclusives = new WeakMap<Database, Queue>();

/**
 * Runs `work` in one transaction: all of it is stored or nothing. Nobody else, in any replica, is in such a transaction
 * meanwhile; it sees everything that those before it have stored. Inside one it just runs. Keep it short.
 */
export async function inTransaction<T>(
  db: Database,
  work: (transaction: Database) => Promise<T>,
): Promise<T> {
  const run = async (transaction: Database) => {
    await takeWriteLock(transaction);
    return work(transaction);
  };
  if (exclusive.has(db)) return inSavepoint(db, run, () => holders.delete(db));
  if (db.isTransaction) return run(db);
  return groupOf(db).add(run) as Promise<T>;
}

/**
 * Runs `work` alone among all that ask for the same `name`, in any replica. It may take long, for writers go on
 * meanwhile; `inTransaction` inside is for the end of it, and on PostgreSQL is stored only when `work` is over.
 */
export async function exclusively<T>(
  db: Database,
  name: string,
  work: (db: Database) => Promise<T>,
): Promise<T> {
  // With SQLite there is one process, and that has to put its own work in order. A lock would hold all writers.
  if (!isPostgres(db) || db.isTransaction) return work(db);
  return queueOf(exclusives, db, MOST_EXCLUSIVE).run(() =>
    begin(db, async (transaction) => {
      await sql`select pg_advisory_xact_lock(${sql.lit(NAMED_LOCK)}, hashtext(${name}))`.execute(transaction);
      exclusive.add(transaction);
      return work(transaction);
    }),
  );
}

/** True for PostgreSQL, which replicas can share. */
export function isPostgres(db: Database): boolean {
  return db.getExecutor().adapter instanceof PostgresAdapter;
}

function groupOf(db: Database): GroupCommit {
  // The lock comes before any savepoint: one taken inside goes when that is undone.
  const alone = (work: (transaction: Database) => Promise<void>) =>
    begin(db, async (transaction) => {
      await takeWriteLock(transaction);
      await work(transaction);
    });
  const group = writers.get(db) ?? new GroupCommit(alone);
  writers.set(db, group);
  return group;
}

/** What is read after the lock must be what is stored by then: a snapshot of the transaction's begin would not do. */
function begin<T>(db: Database, work: (transaction: Database) => Promise<T>): Promise<T> {
  // SQLite knows no levels: there a transaction is alone.
  const transaction = isPostgres(db)
    ? db.transaction().setIsolationLevel("read committed")
    : db.transaction();
  return transaction.execute(work);
}

async function takeWriteLock(transaction: Database): Promise<void> {
  if (!isPostgres(transaction) || holders.has(transaction)) return;
  await sql`select pg_advisory_xact_lock(${sql.lit(WRITE_LOCK)}, 0)`.execute(transaction);
  holders.add(transaction);
}

/** Lets so many at once run, the others in their order. */
class Queue {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

function queueOf(queues: WeakMap<Database, Queue>, db: Database, atOnce: number): Queue {
  const queue = queues.get(db) ?? new Queue(atOnce);
  queues.set(db, queue);
  return queue;
}
