import { Engagement } from "@sallyport/core/policy/engagement.ts";
import type { Selectable } from "kysely";
import { type Approved, approvedOf } from "./approval-grants.ts";
import type { Database, EngagementsTable } from "./tables.ts";

/** Most rows of one statement. */
const AT_ONCE = 500;

type Row = Selectable<EngagementsTable>;

/** All engagements, or those of one member; the latest start first. */
export async function listEngagements(db: Database, memberId?: string): Promise<Engagement[]> {
  const rows = await db
    .selectFrom("engagements")
    .selectAll()
    .$if(memberId !== undefined, (query) =>
      query.where("id", "in", (inner) =>
        inner
          .selectFrom("engagement_members")
          .select("engagement_id")
          .where("member_id", "=", memberId ?? ""),
      ),
    )
    .orderBy("starts_at", "desc")
    .orderBy("id", "desc")
    .execute();
  return withMembers(db, rows);
}

/** Engagements that end after `now` and no later than `by`, both in seconds, and were not ended before their time. */
export async function engagementsEndingBy(db: Database, now: number, by: number): Promise<Engagement[]> {
  const rows = await db
    .selectFrom("engagements")
    .selectAll()
    .where("ended_at", "is", null)
    .where("ends_at", ">", now)
    .where("ends_at", "<=", by)
    .execute();
  return withMembers(db, rows);
}

/** The engagements with these ids. */
export async function engagementsByIds(db: Database, ids: readonly string[]): Promise<Engagement[]> {
  const found: Row[] = [];
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const some = ids.slice(from, from + AT_ONCE);
    found.push(...(await db.selectFrom("engagements").selectAll().where("id", "in", some).execute()));
  }
  return withMembers(db, found);
}

/** The engagement with this name or id. */
export async function findEngagement(db: Database, nameOrId: string): Promise<Engagement | undefined> {
  const rows = await db
    .selectFrom("engagements")
    .selectAll()
    .where((where) => where.or([where("name", "=", nameOrId), where("id", "=", nameOrId)]))
    .execute();
  return (await withMembers(db, rows))[0];
}

/** Adds an engagement or changes the one with its id. What was ended stays ended: that is left as it is. */
export async function saveEngagement(db: Database, engagement: Engagement): Promise<void> {
  const { id, ended_at: _at, ended_by: _by, ended_reason: _reason, ...columns } = toRow(engagement);
  await db
    .insertInto("engagements")
    .values(toRow(engagement))
    .onConflict((conflict) => conflict.column("id").doUpdateSet(columns))
    .execute();
  await db.deleteFrom("engagement_members").where("engagement_id", "=", id).execute();
  for (let from = 0; from < engagement.members.length; from += AT_ONCE) {
    const rows = engagement.members
      .slice(from, from + AT_ONCE)
      .map((member) => ({ engagement_id: id, member_id: member }));
    await db.insertInto("engagement_members").values(rows).execute();
  }
}

/** Marks an engagement as ended, and returns the number of the version that this makes; undefined when it was before. */
export async function markEnded(
  db: Database,
  id: string,
  ended: { at: number; by: string; reason: string },
): Promise<number | undefined> {
  const row = await db
    .updateTable("engagements")
    .set((where) => ({
      ended_at: ended.at,
      ended_by: ended.by,
      ended_reason: ended.reason,
      version: where("version", "+", 1),
    }))
    .where("id", "=", id)
    .where("ended_at", "is", null)
    .returning("version")
    .executeTakeFirst();
  return row?.version;
}

async function withMembers(db: Database, rows: Row[]): Promise<Engagement[]> {
  if (rows.length === 0) return [];
  const all = await db
    .selectFrom("engagement_members")
    .selectAll()
    .$if(rows.length <= AT_ONCE, (query) =>
      query.where(
        "engagement_id",
        "in",
        rows.map(({ id }) => id),
      ),
    )
    .orderBy("member_id")
    .execute();
  const members = Map.groupBy(all, (row) => row.engagement_id);
  const approved = await approvedOf(db, rows.length === 1 ? rows[0]?.id : undefined);
  return rows.map((row) =>
    toEngagement(row, members.get(row.id)?.map(({ member_id }) => member_id) ?? [], approved(row.id)),
  );
}

function toEngagement(row: Row, members: string[], approved: Approved): Engagement {
  return Engagement.parse({
    ...JSON.parse(row.grants_json),
    id: row.id,
    name: row.name,
    vendor: row.vendor,
    members,
    hosts: JSON.parse(row.hosts_json),
    accounts: JSON.parse(row.accounts_json),
    mode: row.mode,
    mfa: JSON.parse(row.mfa_json),
    hours: row.hours_json === null ? null : JSON.parse(row.hours_json),
    sources: JSON.parse(row.sources_json),
    start: row.starts_at,
    end: row.ends_at,
    ended: row.ended_at === null ? null : { at: row.ended_at, by: row.ended_by, reason: row.ended_reason },
    approval: { ...JSON.parse(row.approval_json), ...approved },
    contact: row.contact,
  });
}

function toRow(engagement: Engagement): Omit<Row, "version"> {
  const { personal, privilege, forwarding, limits, recording, acceptUnsafeShell } = engagement;
  const { commands, files, assurance, certificateLifetime, idpGrace, sponsor } = engagement;
  return {
    id: engagement.id,
    name: engagement.name,
    vendor: engagement.vendor,
    hosts_json: JSON.stringify(engagement.hosts),
    accounts_json: JSON.stringify(engagement.accounts),
    mode: engagement.mode,
    mfa_json: JSON.stringify(engagement.mfa),
    hours_json: engagement.hours === null ? null : JSON.stringify(engagement.hours),
    sources_json: JSON.stringify(engagement.sources),
    // What was approved has tables of its own: a change of the engagement must not undo what changes beside it.
    approval_json: JSON.stringify({ ...engagement.approval, approved: false, granted: [] }),
    grants_json: JSON.stringify({
      personal,
      privilege,
      commands,
      files,
      forwarding,
      limits,
      recording,
      acceptUnsafeShell,
      assurance,
      certificateLifetime,
      idpGrace,
      sponsor,
    }),
    contact: engagement.contact,
    starts_at: engagement.start,
    ends_at: engagement.end,
    ended_at: engagement.ended?.at ?? null,
    ended_by: engagement.ended?.by ?? null,
    ended_reason: engagement.ended?.reason ?? null,
  };
}
