import { SallyportError } from "@sallyport/core/errors.ts";
import { Kysely } from "kysely";
import { Migrator } from "kysely/migration";
import { MIGRATIONS } from "./migrations/index.ts";
import { NodeSqliteDialect } from "./sqlite/dialect.ts";
import type { Database, Tables } from "./tables.ts";

/** Opens the SQLite database, making it if there is none, and brings its tables up to date: through all of `migrations`. */
export async function openDatabase(file: string, migrations = MIGRATIONS): Promise<Database> {
  const db = new Kysely<Tables>({ dialect: new NodeSqliteDialect(file) });
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  const { error } = await migrator.migrateToLatest().catch((error: unknown) => ({ error }));
  if (error === undefined) return db;
  await db.destroy();
  throw new SallyportError(
    "internal",
    `The database ${file} cannot be opened: ${error instanceof Error ? error.message : String(error)}. ` +
      "If it was written by a newer Sallyport, run that version; otherwise check the disk and the file's owner.",
    { cause: error },
  );
}

/** Runs `work` in one transaction: all of it is stored or nothing. */
export function inTransaction<T>(db: Database, work: (transaction: Database) => Promise<T>): Promise<T> {
  return db.isTransaction ? work(db) : db.transaction().execute(work);
}
