import type { ExpressionBuilder, ExpressionWrapper, Selectable, SqlBool } from "kysely";
import type { Database, ScimUsersTable, Tables } from "./tables.ts";

/** A SCIM user as it is stored. */
export type ScimUserRow = Selectable<ScimUsersTable>;

/** What users are found by without reading all of them. */
export interface ScimUserKey {
  id?: string;
  userName?: string;
  externalId?: string;
  active?: boolean;
}

/** The user of this issuer with this id, unless it is deleted. */
export async function scimUserById(
  db: Database,
  issuer: string,
  id: string,
): Promise<ScimUserRow | undefined> {
  return db
    .selectFrom("scim_users")
    .selectAll()
    .where("id", "=", id)
    .where("issuer", "=", issuer)
    .where("deleted_at", "is", null)
    .executeTakeFirst();
}

/** Those of these ids that are users of this issuer. */
export async function scimUsersById(
  db: Database,
  issuer: string,
  ids: readonly string[],
): Promise<ScimUserRow[]> {
  const found: ScimUserRow[] = [];
  // A statement has a limited number of parameters.
  for (let from = 0; from < ids.length; from += 500) {
    const some = ids.slice(from, from + 500);
    const rows = db
      .selectFrom("scim_users")
      .selectAll()
      .where("id", "in", some)
      .where("issuer", "=", issuer)
      .where("deleted_at", "is", null);
    found.push(...(await rows.execute()));
  }
  return found;
}

/** Another user of this issuer that has this name or external id: both are taken by one at a time. */
export async function scimUserInTheWay(
  db: Database,
  { issuer, id, user_name_key, external_id }: ScimUserRow,
): Promise<ScimUserRow | undefined> {
  return db
    .selectFrom("scim_users")
    .selectAll()
    .where("issuer", "=", issuer)
    .where("id", "<>", id)
    .where((where) =>
      where.or([
        where("live_name", "=", user_name_key),
        ...(external_id === null ? [] : [where("live_external_id", "=", external_id)]),
      ]),
    )
    .executeTakeFirst();
}

/** How many rows there are of an issuer, those of deleted users too. */
export async function countScimUsers(db: Database, issuer: string): Promise<number> {
  const row = await db
    .selectFrom("scim_users")
    .select((expression) => expression.fn.countAll<number | string>().as("count"))
    .where("issuer", "=", issuer)
    .executeTakeFirst();
  return Number(row?.count ?? 0);
}

/** Stores a new user, and forgets the deleted one that has come again by it. */
export async function addScimUser(db: Database, row: ScimUserRow): Promise<void> {
  const { issuer, external_id, user_name_key } = row;
  await db
    .deleteFrom("scim_users")
    .where("issuer", "=", issuer)
    .where("deleted_at", "is not", null)
    .where((where) =>
      external_id === null
        ? where.and([where("external_id", "is", null), where("user_name_key", "=", user_name_key)])
        : where("external_id", "=", external_id),
    )
    .execute();
  await db.insertInto("scim_users").values(row).execute();
}

/** Stores what a user is now. */
export async function saveScimUser(db: Database, { id, ...row }: ScimUserRow): Promise<void> {
  await db.updateTable("scim_users").set(row).where("id", "=", id).execute();
}

/** The next users of this issuer in order of their ids, and how many there are by this key in all. */
export async function listScimUsers(
  db: Database,
  issuer: string,
  key: ScimUserKey,
  { offset, limit, after }: { offset?: number; limit: number; after?: string },
): Promise<ScimUserRow[]> {
  return db
    .selectFrom("scim_users")
    .selectAll()
    .where("issuer", "=", issuer)
    .where("deleted_at", "is", null)
    .where((where) => byKey(where, key))
    .$if(after !== undefined, (query) => query.where("id", ">", after ?? ""))
    .orderBy("id")
    .limit(limit)
    .$if(offset !== undefined, (query) => query.offset(offset ?? 0))
    .execute();
}

/** How many users of this issuer there are by this key. */
export async function countListedScimUsers(db: Database, issuer: string, key: ScimUserKey): Promise<number> {
  const row = await db
    .selectFrom("scim_users")
    .select((expression) => expression.fn.countAll<number | string>().as("count"))
    .where("issuer", "=", issuer)
    .where("deleted_at", "is", null)
    .where((where) => byKey(where, key))
    .executeTakeFirst();
  return Number(row?.count ?? 0);
}

function byKey(
  where: ExpressionBuilder<Tables, "scim_users">,
  { id, userName, externalId, active }: ScimUserKey,
): ExpressionWrapper<Tables, "scim_users", SqlBool> {
  return where.and([
    ...(id === undefined ? [] : [where("id", "=", id)]),
    ...(userName === undefined ? [] : [where("live_name", "=", userName.toLowerCase())]),
    ...(externalId === undefined ? [] : [where("live_external_id", "=", externalId)]),
    ...(active === undefined ? [] : [where("active", "=", active ? 1 : 0)]),
  ]);
}

/** Users of this issuer, deleted ones too, that name this subject, by external id or by name. */
export async function scimUsersNaming(db: Database, issuer: string, subject: string): Promise<ScimUserRow[]> {
  return db
    .selectFrom("scim_users")
    .selectAll()
    .where("issuer", "=", issuer)
    .where((where) =>
      where.or([where("external_id", "=", subject), where("user_name_key", "=", subject.toLowerCase())]),
    )
    .execute();
}

/** Users of this issuer, deleted ones too, with this e-mail (lower case), as an e-mail or as their name. */
export async function scimUsersWithEmail(
  db: Database,
  issuer: string,
  email: string,
): Promise<ScimUserRow[]> {
  return db
    .selectFrom("scim_users")
    .selectAll()
    .where("issuer", "=", issuer)
    .where((where) => where.or([where("email", "=", email), where("user_name_key", "=", email)]))
    .execute();
}
