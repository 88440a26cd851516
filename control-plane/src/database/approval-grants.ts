import type { Approval } from "@sallyport/core/policy/engagement.ts";
import type { ApprovalGrantsTable, Database } from "./tables.ts";

/** What of an engagement's approval rule is met. */
export type Approved = Pick<Approval, "approved" | "granted">;

/** What is approved, by engagement id: of one engagement, or of all. Of several grants to a member the latest counts. */
export async function approvedOf(db: Database, engagementId?: string): Promise<(id: string) => Approved> {
  const rows = await db
    .selectFrom("approval_grants")
    .select(["engagement_id", "member_id", "until"])
    .$if(engagementId !== undefined, (query) => query.where("engagement_id", "=", engagementId ?? ""))
    .orderBy("member_id")
    .orderBy("until")
    .execute();
  const byEngagement = Map.groupBy(rows, (row) => row.engagement_id);
  return (id) => {
    const grants = byEngagement.get(id) ?? [];
    const latest = new Map<string, number>();
    for (const { member_id, until } of grants)
      if (member_id !== null && until !== null) latest.set(member_id, until);
    return {
      approved: grants.some(({ member_id }) => member_id === null),
      granted: [...latest].map(([member, until]) => ({ member, until })),
    };
  };
}

/** Adds a grant; those of the same member that are over make room for it. */
export async function addGrant(db: Database, grant: ApprovalGrantsTable, now: number): Promise<void> {
  if (grant.member_id !== null) {
    await db
      .deleteFrom("approval_grants")
      .where("engagement_id", "=", grant.engagement_id)
      .where("member_id", "=", grant.member_id)
      .where("until", "<=", now)
      .execute();
  }
  await db.insertInto("approval_grants").values(grant).execute();
}

/** Takes away what a request has granted. */
export async function removeGrant(db: Database, requestId: string): Promise<void> {
  await db.deleteFrom("approval_grants").where("request_id", "=", requestId).execute();
}

/** Those of these requests that something is granted by. */
export async function grantingRequests(db: Database, ids: readonly string[]): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set();
  const rows = await db
    .selectFrom("approval_grants")
    .select("request_id")
    .where("request_id", "in", [...ids])
    .execute();
  return new Set(rows.map(({ request_id }) => request_id));
}

/** What else lets the member of a request in by the same engagement at `now` (seconds), the longest first. */
export async function otherGrants(
  db: Database,
  request: { id: string; engagement_id: string; member_id: string | null },
  now: number,
): Promise<{ id: string; until: number }[]> {
  const rows = await db
    .selectFrom("approval_grants")
    .select(["request_id", "until"])
    .where("engagement_id", "=", request.engagement_id)
    .where("member_id", "=", request.member_id)
    .where("request_id", "!=", request.id)
    .where("until", ">", now)
    .orderBy("until", "desc")
    .orderBy("request_id")
    .execute();
  return rows.flatMap(({ request_id: id, until }) => (until === null ? [] : [{ id, until }]));
}
