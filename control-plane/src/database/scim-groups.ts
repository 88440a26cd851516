import type { Selectable } from "kysely";
import type { Database, ScimGroupsTable } from "./tables.ts";

/** A SCIM group as it is stored, without its members. */
export type ScimGroupRow = Selectable<ScimGroupsTable>;

/** The group of this issuer with this id. */
export async function scimGroupById(
  db: Database,
  issuer: string,
  id: string,
): Promise<ScimGroupRow | undefined> {
  return db
    .selectFrom("scim_groups")
    .selectAll()
    .where("id", "=", id)
    .where("issuer", "=", issuer)
    .executeTakeFirst();
}

/** The group of this issuer with this name, in any case. */
export async function scimGroupByName(
  db: Database,
  issuer: string,
  name: string,
): Promise<ScimGroupRow | undefined> {
  return db
    .selectFrom("scim_groups")
    .selectAll()
    .where("issuer", "=", issuer)
    .where("display_key", "=", name.toLowerCase())
    .executeTakeFirst();
}

/** All groups of this issuer in order of their ids. */
export async function listScimGroups(db: Database, issuer: string): Promise<ScimGroupRow[]> {
  return db.selectFrom("scim_groups").selectAll().where("issuer", "=", issuer).orderBy("id").execute();
}

/** How many groups this issuer has. */
export async function countScimGroups(db: Database, issuer: string): Promise<number> {
  const row = await db
    .selectFrom("scim_groups")
    .select((expression) => expression.fn.countAll<number | string>().as("count"))
    .where("issuer", "=", issuer)
    .executeTakeFirst();
  return Number(row?.count ?? 0);
}

/** Stores a new group or what one is now. */
export async function saveScimGroup(db: Database, row: ScimGroupRow): Promise<void> {
  const { id: _id, ...change } = row;
  await db
    .insertInto("scim_groups")
    .values(row)
    .onConflict((conflict) => conflict.column("id").doUpdateSet(change))
    .execute();
}

/** Removes a group and who is in it. */
export async function deleteScimGroup(db: Database, id: string): Promise<void> {
  await db.deleteFrom("scim_group_members").where("group_id", "=", id).execute();
  await db.deleteFrom("scim_groups").where("id", "=", id).execute();
}

/** Ids of the users in a group, in order. */
export async function scimGroupMembers(db: Database, groupId: string): Promise<string[]> {
  const rows = await db
    .selectFrom("scim_group_members")
    .select("user_id")
    .where("group_id", "=", groupId)
    .orderBy("user_id")
    .execute();
  return rows.map((row) => row.user_id);
}

/** Puts users into a group, and takes others out. */
export async function changeScimGroupMembers(
  db: Database,
  groupId: string,
  { added, removed }: { added: readonly string[]; removed: readonly string[] },
): Promise<void> {
  for (let from = 0; from < removed.length; from += 500) {
    const some = removed.slice(from, from + 500);
    await db
      .deleteFrom("scim_group_members")
      .where("group_id", "=", groupId)
      .where("user_id", "in", some)
      .execute();
  }
  for (let from = 0; from < added.length; from += 500) {
    const rows = added.slice(from, from + 500).map((user_id) => ({ group_id: groupId, user_id }));
    await db
      .insertInto("scim_group_members")
      .values(rows)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** Takes a user out of all groups. */
export async function leaveScimGroups(db: Database, userId: string): Promise<void> {
  await db.deleteFrom("scim_group_members").where("user_id", "=", userId).execute();
}

/** True when a user is in the group of this issuer that has this name. */
export async function isInScimGroup(
  db: Database,
  issuer: string,
  name: string,
  userId: string,
): Promise<boolean> {
  const row = await db
    .selectFrom("scim_group_members")
    .innerJoin("scim_groups", "scim_groups.id", "scim_group_members.group_id")
    .select("user_id")
    .where("user_id", "=", userId)
    .where("issuer", "=", issuer)
    .where("display_key", "=", name.toLowerCase())
    .executeTakeFirst();
  return row !== undefined;
}
