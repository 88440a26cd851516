import { SallyportError } from "@sallyport/core/errors.ts";
import { audit } from "../audit/audit.ts";
import { otherGrants, removeGrant } from "../database/approval-grants.ts";
import { moveRequest, requestById } from "../database/approval-requests.ts";
import { inTransaction } from "../database/open-database.ts";
import type { ApprovalRequestsTable } from "../database/tables.ts";
import { seconds } from "../environment.ts";
import type { RequestNeeds } from "./needs.ts";
import { requestNotFound, stateOf } from "./views.ts";

/** What the caller may do to this request: take back what was approved, give up what is pending. */
export interface WithdrawalRights {
  withdraw: boolean;
  cancel: boolean;
}

/**
 * Takes an approval back, or gives a pending request up. What was granted is gone at once; hosts have not heard of it yet.
 * Resolves also with what other approvals still let the same member in.
 * Codes `forbidden`, and `conflict` where there is nothing to take back.
 */
export async function withdrawApproval(
  needs: Pick<RequestNeeds, "db" | "environment">,
  request: ApprovalRequestsTable,
  by: { name: string; reason: string } & WithdrawalRights,
): Promise<{ request: ApprovalRequestsTable; revoked: boolean; others: { id: string; until: number }[] }> {
  const now = seconds(needs.environment.clock);
  return inTransaction(needs.db, async (db) => {
    const state = stateOf((await requestById(db, request.id)) ?? request, now);
    if (state === "pending" && !by.cancel) throw forbidden(by.withdraw);
    if (state === "approved" && !by.withdraw) throw forbidden(false);
    const to = state === "approved" ? "withdrawn" : "cancelled";
    const moved =
      (state === "pending" || state === "approved") &&
      (await moveRequest(db, request.id, state, { state: to, at: now }));
    if (!moved)
      throw new SallyportError("conflict", `There is nothing to withdraw: the request is ${state}.`);
    await removeGrant(db, request.id);
    const { id, engagement_id: engagement, member_id: member } = request;
    const data = { id, engagement, member, reason: by.reason, state: to };
    await audit(db, needs.environment, { type: "approval-withdrawn", actor: by.name, data });
    const after = await requestById(db, id);
    if (after === undefined) throw requestNotFound(id);
    return { request: after, revoked: to === "withdrawn", others: await otherGrants(db, after, now) };
  });
}

function forbidden(mayAnswer: boolean): SallyportError {
  const message = mayAnswer
    ? "This request is still pending: deny it instead. Only who made it can give it up."
    : "Only those who may answer this request can withdraw it.";
  return new SallyportError("forbidden", message);
}
