import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Configuration } from "./config/configuration.ts";
import { isInUse, openDatabase } from "./database/open-database.ts";
import { checkDatabaseUrl, describeDatabaseUrl } from "./database/postgres/database-url.ts";
import type { Database } from "./database/tables.ts";
import { type GrantSealing, openGrantSealing } from "./keys/grant-sealing.ts";
import { type Keys, openKeys } from "./keys/keys.ts";
import { Bucket } from "./objects/bucket.ts";
import { ObjectStorage } from "./objects/object-storage.ts";
import type { ObjectsLocation } from "./objects/objects-url.ts";
import { DirectoryStorage } from "./recordings/directory-storage.ts";
import { RecordingPlaces } from "./recordings/recording-places.ts";

/** What lies in the data directory, or where the configuration says instead. */
export interface Store {
  db: Database;
  keys: Keys;
  /** Of refresh tokens. */
  sealing: GrantSealing;
  places: RecordingPlaces;
  keysDirectory: string;
}

/** Where everything is, and what opens it. */
export interface StoreOptions {
  config: Pick<Configuration, "dataDirectory" | "keys">;
  /** Of a PostgreSQL database; without it, an SQLite file in the data directory. */
  databaseUrl?: string | undefined;
  /** Where new recordings go; without it, into the data directory. */
  objects?: ObjectsLocation | undefined;
  /** Of the key files. */
  passphrase?: string | undefined;
}

/** Opens keys and database, making both on the first start. Fails when one is there without the other. */
export async function openStore({ config, databaseUrl, objects, passphrase }: StoreOptions): Promise<Store> {
  const directory = config.dataDirectory;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, "sallyport.db");
  const keysDirectory = join(directory, "keys");
  const used =
    databaseUrl === undefined
      ? { file, exists: existsSync(file) }
      : { file: describeDatabaseUrl(checkDatabaseUrl(databaseUrl)), exists: await isInUse(databaseUrl) };
  const keys = openKeys(keysDirectory, used, { keys: config.keys, passphrase });
  const db = await openDatabase(databaseUrl ?? file);
  let sealing: GrantSealing;
  try {
    await keys.load(db);
    sealing = await openGrantSealing(db, keysDirectory, passphrase);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  const places = new RecordingPlaces({
    directory: new DirectoryStorage(join(directory, "recordings")),
    objects: objects && new ObjectStorage(db, new Bucket(objects)),
  });
  return { db, keys, sealing, places, keysDirectory };
}
