import { Member } from "@sallyport/core/policy/engagement.ts";
import type { Database, IdentitiesTable, MembersTable } from "./tables.ts";

/** Most ids that a statement names; for more all rows are read. */
const MOST_NAMED = 500;

/** All members that `ids` names, or all there are. */
export async function listMembers(db: Database, ids?: readonly string[]): Promise<Member[]> {
  if (ids?.length === 0) return [];
  const wanted = ids === undefined ? undefined : new Set(ids);
  const named = wanted === undefined || wanted.size > MOST_NAMED ? undefined : [...wanted];
  const rows = await db
    .selectFrom("members")
    .selectAll()
    .$if(named !== undefined, (query) => query.where("id", "in", named ?? []))
    .orderBy("id")
    .execute();
  const identities = Map.groupBy(
    await db
      .selectFrom("identities")
      .selectAll()
      .$if(named !== undefined, (query) => query.where("member_id", "in", named ?? []))
      .orderBy("issuer")
      .orderBy("subject")
      .execute(),
    (row) => row.member_id,
  );
  return rows
    .filter((row) => wanted === undefined || wanted.has(row.id))
    .map((row) => toMember(row, identities.get(row.id) ?? []));
}

/** The member with this id. */
export async function memberById(db: Database, id: string): Promise<Member | undefined> {
  const row = await db.selectFrom("members").selectAll().where("id", "=", id).executeTakeFirst();
  return row && withIdentities(db, row);
}

/** The member that this identity is pinned to. */
export async function memberByIdentity(
  db: Database,
  issuer: string,
  subject: string,
): Promise<Member | undefined> {
  const row = await db
    .selectFrom("members")
    .innerJoin("identities", "identities.member_id", "members.id")
    .selectAll("members")
    .where("issuer", "=", issuer)
    .where("subject", "=", subject)
    .executeTakeFirst();
  return row && withIdentities(db, row);
}

/** The member that was invited under this e-mail, in any case. */
export async function memberByEmail(db: Database, email: string): Promise<Member | undefined> {
  const row = await db
    .selectFrom("members")
    .selectAll()
    .where("email", "=", email.toLowerCase())
    .executeTakeFirst();
  return row && withIdentities(db, row);
}

/** All members of this name; names need not be unique. */
export async function membersByName(db: Database, name: string): Promise<Member[]> {
  const rows = await db.selectFrom("members").selectAll().where("name", "=", name).execute();
  return Promise.all(rows.map((row) => withIdentities(db, row)));
}

/** Adds a member, or changes name, vendor and account of the one with this id. */
export async function saveMember(db: Database, member: MembersTable): Promise<void> {
  await db
    .insertInto("members")
    .values(member)
    .onConflict((conflict) =>
      conflict
        .column("id")
        .doUpdateSet({ name: member.name, vendor: member.vendor, account: member.account }),
    )
    .execute();
}

/** Pins an identity; false when it, or another of this member from that issuer, is pinned already. */
export async function pinIdentity(db: Database, identity: IdentitiesTable): Promise<boolean> {
  const result = await db
    .insertInto("identities")
    .values(identity)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

async function withIdentities(db: Database, row: MembersTable): Promise<Member> {
  const identities = await db
    .selectFrom("identities")
    .selectAll()
    .where("member_id", "=", row.id)
    .orderBy("issuer")
    .execute();
  return toMember(row, identities);
}

function toMember(row: MembersTable, identities: readonly IdentitiesTable[]): Member {
  return Member.parse({
    id: row.id,
    name: row.name,
    email: row.email,
    vendor: row.vendor,
    identities: identities.map(({ issuer, subject }) => ({ issuer, subject })),
    account: row.account,
  });
}
