import type { Database, EngagementVersionsTable } from "./tables.ts";

/** The number of the newest version of each engagement, or of these, by id. */
export async function currentVersions(db: Database, ids?: readonly string[]): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom("engagements")
    .select(["id", "version"])
    .$if(ids !== undefined, (query) => query.where("id", "in", [...(ids ?? [])]))
    .execute();
  return new Map(rows.map(({ id, version }) => [id, version]));
}

/** The number of the newest version of one engagement; 0 when it is not there. */
export async function currentVersion(db: Database, id: string): Promise<number> {
  const row = await db.selectFrom("engagements").select("version").where("id", "=", id).executeTakeFirst();
  return row?.version ?? 0;
}

/**
 * Takes the number after `version`, on condition that this is the newest; false when somebody else was quicker. Until the
 * transaction ends nobody else can change this engagement.
 */
export async function takeNextVersion(db: Database, id: string, version: number): Promise<boolean> {
  const result = await db
    .updateTable("engagements")
    .set({ version: version + 1 })
    .where("id", "=", id)
    .where("version", "=", version)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** False when `version` is not the newest; else nobody can change this engagement until the transaction ends. */
export async function holdVersion(db: Database, id: string, version: number): Promise<boolean> {
  const result = await db
    .updateTable("engagements")
    .set({ version })
    .where("id", "=", id)
    .where("version", "=", version)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** The fields of a stored version. One of before there were modes gave a shell, and one of before the IdP was asked has the default grace. */
export function fieldsOfVersion({ engagement_json }: Pick<EngagementVersionsTable, "engagement_json">) {
  const fields: Record<string, unknown> = JSON.parse(engagement_json);
  return { mode: "shell", commands: null, files: null, idpGrace: 900, ...fields };
}

/** Adds a version. */
export async function addVersion(db: Database, version: EngagementVersionsTable): Promise<void> {
  await db.insertInto("engagement_versions").values(version).execute();
}

/** The `limit` newest versions of an engagement, the newest first. */
export async function listVersions(
  db: Database,
  id: string,
  limit: number,
): Promise<EngagementVersionsTable[]> {
  return db
    .selectFrom("engagement_versions")
    .selectAll()
    .where("engagement_id", "=", id)
    .orderBy("version", "desc")
    .limit(limit)
    .execute();
}
