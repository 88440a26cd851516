import type { Database } from "./tables.ts";

/** The key that seals now; undefined before the first. */
export async function sealingKeyId(db: Database): Promise<string | undefined> {
  return (await newest(db))?.kid;
}

/** Has a key seal from now on. */
export async function addSealingKey(db: Database, kid: string): Promise<void> {
  const number = ((await newest(db))?.number ?? 0) + 1;
  await db.deleteFrom("sealing_keys").where("kid", "=", kid).execute();
  await db.insertInto("sealing_keys").values({ kid, number }).execute();
}

/** True when something is sealed with it. */
export async function sealsGrants(db: Database, kid: string): Promise<boolean> {
  const grant = await db
    .selectFrom("sign_in_grants")
    .select("key_fingerprint")
    .where("sealed_with", "=", kid)
    .limit(1)
    .executeTakeFirst();
  return grant !== undefined;
}

/** Notes that the refresh tokens which none of these keys opens are lost; how many there are. `now` in milliseconds. */
export async function loseGrantsSealedOtherwise(
  db: Database,
  kids: readonly string[],
  now: number,
): Promise<number> {
  const result = await db
    .updateTable("sign_in_grants")
    .set({ lost_at_ms: now, token_sealed: "", sealed_with: "", fresh_sealed: null })
    .where("lost_at_ms", "is", null)
    .where("sealed_with", "not in", ["", ...kids])
    .executeTakeFirst();
  return Number(result.numUpdatedRows);
}

function newest(db: Database) {
  return db.selectFrom("sealing_keys").selectAll().orderBy("number", "desc").limit(1).executeTakeFirst();
}
