import { CompiledQuery, type DatabaseConnection, SqliteDialect, SqliteDriver } from "kysely";
import { NodeSqliteDatabase } from "./node-sqlite.ts";

/** Kysely on `node:sqlite`. */
export class NodeSqliteDialect extends SqliteDialect {
  readonly #file: string;

  constructor(file: string) {
    super({ database: async () => new NodeSqliteDatabase(file) });
    this.#file = file;
  }

  override createDriver(): SqliteDriver {
    return new ImmediateDriver({ database: async () => new NodeSqliteDatabase(this.#file) });
  }
}

/** Takes the write lock at the start: a transaction that reads first would otherwise fail when another process wrote. */
class ImmediateDriver extends SqliteDriver {
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("begin immediate"));
  }
}
