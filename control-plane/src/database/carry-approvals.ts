import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import type { Database } from "./tables.ts";

/**
 * Leaves of what was approved for an engagement only what is given here. Where that is less than there was, answers to
 * requests that are still open go too: they were about less than is granted now.
 */
export async function carryApprovals(
  db: Database,
  engagementId: string,
  carried: Pick<Engagement["approval"], "approved" | "granted">,
  isWider: boolean,
): Promise<void> {
  const members = carried.granted.map(({ member }) => member);
  await db
    .deleteFrom("approval_grants")
    .where("engagement_id", "=", engagementId)
    .where((where) =>
      where.or([
        ...(carried.approved ? [] : [where("member_id", "is", null)]),
        members.length === 0
          ? where("member_id", "is not", null)
          : where.and([where("member_id", "is not", null), where("member_id", "not in", members)]),
      ]),
    )
    .execute();
  if (!isWider) return;
  await db
    .deleteFrom("approval_answers")
    .where("request_id", "in", (inner) =>
      inner
        .selectFrom("approval_requests")
        .select("id")
        .where("engagement_id", "=", engagementId)
        .where("state", "=", "pending"),
    )
    .execute();
}
