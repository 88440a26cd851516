import { setTimeout as pause } from "node:timers/promises";
import type { CompiledQuery, DatabaseConnection, QueryResult } from "kysely";

/** SQLITE_BUSY (https://www.sqlite.org/rescode.html): another process is writing. */
const BUSY = 5;
const PATIENCE_MS = 5000;
const PAUSE_MS = 3;

/** Waits for other processes that write, without holding this one up meanwhile. */
export class PatientConnection implements DatabaseConnection {
  readonly #connection: DatabaseConnection;

  constructor(connection: DatabaseConnection) {
    this.#connection = connection;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    for (let waited = 0; ; waited += PAUSE_MS) {
      try {
        return await this.#connection.executeQuery(query);
      } catch (error) {
        if (!isBusy(error) || waited >= PATIENCE_MS) throw error;
      }
      await pause(PAUSE_MS);
    }
  }

  streamQuery<R>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    return this.#connection.streamQuery(query, chunkSize);
  }
}

function isBusy(error: unknown): boolean {
  // The lower eight bits are the primary code.
  return error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === BUSY;
}
