import { SallyportError } from "@sallyport/core/errors.ts";
import { type Dialect, Kysely } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import { MIGRATIONS } from "./migrations/index.ts";
import { describeDatabaseUrl, isPostgresUrl } from "./postgres/database-url.ts";
import { postgresDialect } from "./postgres/dialect.ts";
import { NodeSqliteDialect } from "./sqlite/dialect.ts";
import type { Database, Tables } from "./tables.ts";

export { inTransaction } from "./write-lock.ts";

/**
 * Opens a database, by its `postgres:` URL or as an SQLite file, and brings its tables up to date: through all of
 * `migrations`, or none where one fails. Of several that do so at once, one does it and the others wait.
 */
export async function openDatabase(location: string, migrations = MIGRATIONS): Promise<Database> {
  if (!isPostgresUrl(location)) {
    const db = database(new NodeSqliteDialect(location));
    await migrate(db, migrations).catch(async (error: unknown) => {
      await db.destroy();
      throw cannotOpen(location, error, "run that version; otherwise check the disk and the file's owner");
    });
    return db;
  }
  const migrating = database(postgresDialect(location, { unhurried: true }));
  try {
    await migrate(migrating, migrations);
  } catch (error) {
    throw cannotOpen(
      describeDatabaseUrl(location),
      error,
      "run that version; otherwise check that the server runs, and user and password in DATABASE_URL",
    );
  } finally {
    await migrating.destroy();
  }
  return database(postgresDialect(location));
}

/** True when a PostgreSQL database has anything in it that somebody did with Sallyport. */
export async function isInUse(url: string): Promise<boolean> {
  const db = database(postgresDialect(url, { unhurried: true }));
  try {
    const isThere = (await db.introspection.getTables()).some(({ name }) => name === "audit_events");
    return isThere && (await db.selectFrom("audit_events").select("id").limit(1).execute()).length > 0;
  } catch (error) {
    throw cannotOpen(
      describeDatabaseUrl(url),
      error,
      "run that version; otherwise check that the server runs, and user and password in DATABASE_URL",
    );
  } finally {
    await db.destroy();
  }
}

function database(dialect: Dialect): Database {
  return new Kysely<Tables>({ dialect });
}

async function migrate(db: Database, migrations: Record<string, Migration>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

function cannotOpen(what: string, cause: unknown, advice: string): SallyportError {
  return new SallyportError(
    "internal",
    `The database ${what} cannot be opened: ${reason(cause)}. If it was written by a newer Sallyport, ${advice}.`,
    { cause },
  );
}

/** A server that answers at none of its addresses is one error of several. */
function reason(error: unknown): string {
  if (error instanceof AggregateError && error.message === "")
    return [...new Set(error.errors.map(reason))].join(", ");
  return error instanceof Error ? error.message : String(error);
}
