import { canonicalJson } from "@sallyport/core/canonical-json.ts";
import type { Kysely } from "kysely";

interface Engagement {
  id: string;
  name: string;
  vendor: string;
  hosts_json: string;
  accounts_json: string;
  mfa_json: string;
  hours_json: string | null;
  sources_json: string;
  approval_json: string;
  grants_json: string;
  contact: string;
  starts_at: number;
  ends_at: number;
  ended_at: number | null;
  ended_by: string | null;
  ended_reason: string | null;
}

type Tables = {
  engagements: Engagement;
  engagement_members: { engagement_id: string; member_id: string };
  engagement_versions: {
    engagement_id: string;
    version: number;
    at: number;
    by: string;
    why: string;
    engagement_json: string;
  };
  members: { id: string; email: string | null; created_at: number };
  identities: { member_id: string; pinned_at: number };
  invitations: {
    member_id: string;
    invited_at: number;
    invited_by: string;
    expires_at: number;
    accepted_at: number | null;
    withdrawn_at: number | null;
  };
};

const FORTNIGHT = 14 * 86_400;

/** Versions of engagements, invitations that end, the policy file that was applied last, and notices to be sent. */
export async function up(database: Kysely<unknown>): Promise<void> {
  const db = database.withTables<Tables>();
  await (db.isTransaction ? migrate(db) : db.transaction().execute(migrate));
}

async function migrate(db: Kysely<Tables>): Promise<void> {
  // SQLite notes that this has run in a transaction of its own: after a crash in between it runs again.
  if ((await db.introspection.getTables()).some(({ name }) => name === "engagement_versions")) return;
  await makeTables(db);
  for (const engagement of await db.selectFrom("engagements").selectAll().execute())
    await addFirstVersion(db, engagement);
  for (const member of await db.selectFrom("members").select(["id", "created_at"]).execute())
    await addInvitation(db, member);
}

async function makeTables({ schema }: Kysely<Tables>): Promise<void> {
  await schema
    .alterTable("engagements")
    .addColumn("version", "integer", (c) => c.notNull().defaultTo(1))
    .execute();
  await schema
    .createTable("engagement_versions")
    .addColumn("engagement_id", "text", (c) => c.notNull().references("engagements.id"))
    .addColumn("version", "integer", (c) => c.notNull())
    .addColumn("at", "bigint", (c) => c.notNull())
    .addColumn("by", "text", (c) => c.notNull())
    .addColumn("why", "text", (c) => c.notNull())
    .addColumn("engagement_json", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("engagement_versions_key", ["engagement_id", "version"])
    .execute();
  await schema
    .createTable("invitations")
    .addColumn("member_id", "text", (c) => c.primaryKey().references("members.id"))
    .addColumn("invited_at", "bigint", (c) => c.notNull())
    .addColumn("invited_by", "text", (c) => c.notNull())
    .addColumn("expires_at", "bigint", (c) => c.notNull())
    .addColumn("accepted_at", "bigint")
    .addColumn("withdrawn_at", "bigint")
    .execute();
  await schema
    .createTable("applied_policies")
    .addColumn("source", "text", (c) => c.primaryKey())
    .addColumn("hash", "text", (c) => c.notNull())
    .addColumn("applied_at", "bigint", (c) => c.notNull())
    .execute();
  await schema
    .createTable("notices")
    .addColumn("id", "text", (c) => c.primaryKey())
    .addColumn("key", "text", (c) => c.notNull().unique())
    .addColumn("about", "text", (c) => c.notNull())
    .addColumn("kind", "text", (c) => c.notNull())
    .addColumn("channel", "text", (c) => c.notNull())
    .addColumn("recipient", "text", (c) => c.notNull())
    .addColumn("subject", "text", (c) => c.notNull())
    .addColumn("text", "text", (c) => c.notNull())
    .addColumn("data_json", "text", (c) => c.notNull())
    .addColumn("created_at", "bigint", (c) => c.notNull())
    .addColumn("good_until", "bigint", (c) => c.notNull())
    .addColumn("attempts", "integer", (c) => c.notNull())
    .addColumn("next_attempt_at", "bigint", (c) => c.notNull())
    .addColumn("done_at", "bigint")
    .addColumn("outcome", "text")
    .execute();
  await schema.createIndex("notices_due").on("notices").columns(["done_at", "next_attempt_at"]).execute();
  await schema.createIndex("notices_about").on("notices").column("about").execute();
}

/** What is in force becomes version 1, in the form that later versions have. */
async function addFirstVersion(db: Kysely<Tables>, engagement: Engagement): Promise<void> {
  const { id, name, vendor, contact } = engagement;
  const members = await db
    .selectFrom("engagement_members")
    .innerJoin("members", "members.id", "engagement_members.member_id")
    .select(["members.id", "members.email"])
    .where("engagement_id", "=", id)
    .execute();
  const { approved: _approved, granted: _granted, ...approval } = JSON.parse(engagement.approval_json);
  const written = {
    ...JSON.parse(engagement.grants_json),
    ...{ name, vendor, contact, approval },
    members: members.map((member) => member.email ?? member.id).toSorted(),
    hosts: JSON.parse(engagement.hosts_json),
    accounts: JSON.parse(engagement.accounts_json),
    mfa: JSON.parse(engagement.mfa_json),
    hours: engagement.hours_json === null ? null : JSON.parse(engagement.hours_json),
    sources: JSON.parse(engagement.sources_json),
    start: iso(engagement.starts_at),
    end: iso(engagement.ends_at),
    ...(engagement.ended_at === null
      ? {}
      : {
          ended: { at: iso(engagement.ended_at), by: engagement.ended_by, reason: engagement.ended_reason },
        }),
  };
  await db
    .insertInto("engagement_versions")
    .values({
      engagement_id: id,
      version: 1,
      at: engagement.starts_at,
      by: "upgrade",
      why: "in force when versions began",
      engagement_json: canonicalJson(written),
    })
    .execute();
}

async function addInvitation(db: Kysely<Tables>, member: { id: string; created_at: number }): Promise<void> {
  const pinned = await db
    .selectFrom("identities")
    .select("pinned_at")
    .where("member_id", "=", member.id)
    .orderBy("pinned_at")
    .executeTakeFirst();
  await db
    .insertInto("invitations")
    .values({
      member_id: member.id,
      invited_at: member.created_at,
      invited_by: "upgrade",
      expires_at: Number(member.created_at) + FORTNIGHT,
      accepted_at: pinned?.pinned_at ?? null,
      withdrawn_at: null,
    })
    .execute();
}

function iso(seconds: number): string {
  return new Date(Number(seconds) * 1000).toISOString().replace(".000Z", "Z");
}
