import type { Kysely } from "kysely";

/** Certificates are found by their key: a renewal must not undo the revocation of an earlier one. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.createIndex("certificates_key").on("certificates").column("key_fingerprint").execute();
}
