import type { Kysely } from "kysely";

/** Requests for approval, their answers, what was granted by them, and messages about them that are still to be sent. */
export async function up({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable("approval_requests")
    .ifNotExists()
    .addColumn("id", "text", (c) => c.primaryKey())
    .addColumn("engagement_id", "text", (c) => c.notNull().references("engagements.id"))
    .addColumn("member_id", "text", (c) => c.references("members.id"))
    .addColumn("reason", "text", (c) => c.notNull())
    .addColumn("ticket", "text")
    .addColumn("host_id", "text")
    .addColumn("issuer", "text", (c) => c.notNull())
    .addColumn("subject", "text", (c) => c.notNull())
    .addColumn("email", "text")
    .addColumn("requested_by", "text", (c) => c.notNull())
    .addColumn("requested_at", "bigint", (c) => c.notNull())
    .addColumn("expires_at", "bigint", (c) => c.notNull())
    .addColumn("state", "text", (c) => c.notNull())
    .addColumn("decided_at", "bigint")
    .addColumn("granted_until", "bigint")
    .addColumn("answered", "integer", (c) => c.notNull())
    .addColumn("pending_key", "text", (c) => c.unique())
    .execute();
  await schema
    .createIndex("approval_requests_engagement")
    .ifNotExists()
    .on("approval_requests")
    .columns(["engagement_id", "member_id", "requested_at"])
    .execute();
  await schema
    .createIndex("approval_requests_state")
    .ifNotExists()
    .on("approval_requests")
    .columns(["state", "expires_at"])
    .execute();
  await schema
    .createIndex("approval_requests_host")
    .ifNotExists()
    .on("approval_requests")
    .columns(["host_id", "requested_at"])
    .execute();
  await schema
    .createTable("approval_answers")
    .ifNotExists()
    .addColumn("request_id", "text", (c) => c.notNull().references("approval_requests.id"))
    .addColumn("issuer", "text", (c) => c.notNull())
    .addColumn("subject", "text", (c) => c.notNull())
    .addColumn("email", "text")
    .addColumn("decision", "text", (c) => c.notNull())
    .addColumn("note", "text", (c) => c.notNull())
    .addColumn("at", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("approval_answers_key", ["request_id", "issuer", "subject"])
    .execute();
  await schema
    .createTable("approval_grants")
    .ifNotExists()
    .addColumn("request_id", "text", (c) => c.primaryKey().references("approval_requests.id"))
    .addColumn("engagement_id", "text", (c) => c.notNull().references("engagements.id"))
    .addColumn("member_id", "text")
    .addColumn("until", "bigint")
    .execute();
  await schema
    .createIndex("approval_grants_engagement")
    .ifNotExists()
    .on("approval_grants")
    .columns(["engagement_id", "member_id"])
    .execute();
  await schema
    .createTable("approval_messages")
    .ifNotExists()
    .addColumn("request_id", "text", (c) => c.primaryKey().references("approval_requests.id"))
    .addColumn("attempts", "integer", (c) => c.notNull())
    .addColumn("next_at", "bigint", (c) => c.notNull())
    .execute();
}
