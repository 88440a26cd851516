import { writeSync } from "node:fs";
import { MIGRATIONS } from "@sallyport/control-plane/database/migrations/index.ts";
import { openDatabase } from "@sallyport/control-plane/database/open-database.ts";
import { sql } from "kysely";

/* Brings a database up to date, and stops for ever after the migration that the second argument names, if any. */

const [location = "", last] = process.argv.slice(2);
const slowed = Object.entries(MIGRATIONS).map(([name, migration]) => [
  name,
  {
    up: async (...[db]: Parameters<typeof migration.up>) => {
      await migration.up(db);
      if (name !== last) return;
      await sql`select 1`.execute(db);
      writeSync(1, "in the middle\n");
      for (;;) await new Promise((resolve) => setTimeout(resolve, 1_000_000));
    },
  },
]);
const db = await openDatabase(location, Object.fromEntries(slowed));
await db.destroy();
