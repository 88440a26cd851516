import { closeSync, openSync } from "node:fs";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { SqliteDatabase, SqliteStatement } from "kysely";

const MAX_CACHED = 200;

/** `node:sqlite` in the shape that Kysely's SQLite driver expects, with prepared statements kept. */
export class NodeSqliteDatabase implements SqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, SqliteStatement>();

  constructor(file: string) {
    // SQLite gives its -wal and -shm files the mode of the database.
    if (file !== ":memory:") closeSync(openSync(file, "a", 0o600));
    // Waiting for another process inside SQLite would stop this one: see patient-connection.ts. Opening is another matter.
    this.#database = new DatabaseSync(file, { timeout: 5000 });
    this.#database.exec("PRAGMA journal_mode = WAL");
    // FULL: what was answered is on the disk. Revocations and recording positions depend on it.
    this.#database.exec("PRAGMA synchronous = FULL");
    this.#database.exec("PRAGMA foreign_keys = ON");
    // Moving pages from the log into the database syncs twice more, and the commit that does it waits: every 32 MB, not every 4.
    this.#database.exec("PRAGMA wal_autocheckpoint = 8000");
    this.#database.exec("PRAGMA busy_timeout = 0");
  }

  prepare(sql: string): SqliteStatement {
    const cached = this.#statements.get(sql);
    if (cached !== undefined) return cached;
    const statement = new NodeSqliteStatement(this.#database.prepare(sql));
    if (this.#statements.size >= MAX_CACHED) this.#statements.clear();
    this.#statements.set(sql, statement);
    return statement;
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }
}

class NodeSqliteStatement implements SqliteStatement {
  readonly reader: boolean;
  readonly #statement: StatementSync;

  constructor(statement: StatementSync) {
    this.#statement = statement;
    this.reader = statement.columns().length > 0;
  }

  all(parameters: readonly unknown[]): unknown[] {
    // Rows of node:sqlite have a null prototype; ours are plain objects.
    return this.#statement.all(...values(parameters)).map((row) => ({ ...row }));
  }

  run(parameters: readonly unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint } {
    return this.#statement.run(...values(parameters));
  }

  *iterate(parameters: readonly unknown[]): IterableIterator<unknown> {
    for (const row of this.#statement.iterate(...values(parameters))) yield { ...row };
  }
}

function values(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters.map((value) => {
    if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "bigint")
      return value;
    if (value instanceof Uint8Array) return value;
    throw new TypeError(`SQLite cannot hold a ${typeof value}`);
  });
}
