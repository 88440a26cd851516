import { audit } from "../audit/audit.ts";
import { moveRequest, overdueRequests } from "../database/approval-requests.ts";
import { inTransaction } from "../database/open-database.ts";
import type { ApprovalRequestsTable } from "../database/tables.ts";
import { seconds } from "../environment.ts";
import type { RequestNeeds } from "./needs.ts";

const AT_ONCE = 200;

type Needs = Pick<RequestNeeds, "db" | "environment">;

/** Notes requests that nobody answered in time. Nothing hangs on it: past its time a request cannot be answered anyway. */
export async function expireRequests(needs: Needs): Promise<void> {
  const overdue = await overdueRequests(needs.db, seconds(needs.environment.clock), AT_ONCE);
  for (const request of overdue)
    await inTransaction(needs.db, (db) => expireIfOverdue({ ...needs, db }, request));
}

/** True when the time of a pending request is over, which is then noted. Inside a transaction. */
export async function expireIfOverdue(needs: Needs, request: ApprovalRequestsTable): Promise<boolean> {
  const { db, environment } = needs;
  const now = seconds(environment.clock);
  if (request.expires_at > now) return false;
  if (await moveRequest(db, request.id, "pending", { state: "expired", at: now })) {
    const data = { id: request.id, engagement: request.engagement_id, member: request.member_id };
    await audit(db, environment, { type: "approval-expired", actor: "control plane", data });
  }
  return true;
}
