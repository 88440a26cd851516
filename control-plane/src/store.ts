import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Configuration } from "./config/configuration.ts";
import { openDatabase } from "./database/open-database.ts";
import type { Database } from "./database/tables.ts";
import { type Keys, openKeys } from "./keys/keys.ts";

/** What lies in the data directory. */
export interface Store {
  db: Database;
  keys: Keys;
  recordingsDirectory: string;
  keysDirectory: string;
}

/** Opens keys and database, making both on the first start. Fails when one is there without the other. */
export async function openStore(config: Pick<Configuration, "dataDirectory">): Promise<Store> {
  const directory = config.dataDirectory;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, "sallyport.db");
  const keysDirectory = join(directory, "keys");
  const keys = openKeys(keysDirectory, { file, exists: existsSync(file) });
  const db = await openDatabase(file);
  return { db, keys, recordingsDirectory: join(directory, "recordings"), keysDirectory };
}
