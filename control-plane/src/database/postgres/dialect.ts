import { CompiledQuery, type DatabaseConnection, PostgresDialect } from "kysely";
import pg from "pg";
import { numbersAsNumbers } from "./column-types.ts";
import { checkDatabaseUrl } from "./database-url.ts";
import { PostgresClient } from "./postgres-client.ts";

/** Connections of one control plane at most. Writers wait in the process, so that readers find one. */
const MOST_CONNECTIONS = 16;

/** In milliseconds: ours are shorter than any proxy's, and a hung transaction must not hold all writers for long. */
const PATIENCE = {
  connect: 10_000,
  lock: 10_000,
  statement: 30_000,
  answer: 35_000,
  idleTransaction: 60_000,
};

/** What is different from the control plane's own connections. */
export interface PostgresOptions {
  /** For migrations, which take as long as they take: no limits, and two connections. */
  unhurried?: boolean;
}

/** Kysely on PostgreSQL by `pg`. Code `config-invalid` when `url` is none. */
export function postgresDialect(url: string, { unhurried = false }: PostgresOptions = {}): PostgresDialect {
  const pool = new pg.Pool({
    connectionString: checkDatabaseUrl(url),
    Client: PostgresClient,
    application_name: "sallyport",
    types: numbersAsNumbers,
    max: unhurried ? 2 : MOST_CONNECTIONS,
    connectionTimeoutMillis: PATIENCE.connect,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ...(unhurried
      ? {}
      : {
          lock_timeout: PATIENCE.lock,
          statement_timeout: PATIENCE.statement,
          query_timeout: PATIENCE.answer,
          idle_in_transaction_session_timeout: PATIENCE.idleTransaction,
        }),
  });
  // An idle connection that the server ends is no event: the pool has dropped it, and the next query makes another.
  pool.on("error", () => {});
  return new PostgresDialect({ pool, onCreateConnection: beDurable });
}

/** What was answered is on the disk, also where the server's configuration says otherwise. A stricter setting stays. */
async function beDurable(connection: DatabaseConnection): Promise<void> {
  await connection.executeQuery(
    CompiledQuery.raw(
      "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') in ('off', 'local')",
    ),
  );
}
