import { SallyportError } from "@sallyport/core/errors.ts";
import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import { audit } from "../audit/audit.ts";
import { addMessage } from "../database/approval-messages.ts";
import { addRequest, countRequests, giveReason, pendingRequest } from "../database/approval-requests.ts";
import { inTransaction } from "../database/open-database.ts";
import type { ApprovalRequestsTable, Database } from "../database/tables.ts";
import { newId, seconds } from "../environment.ts";
import { engagementState } from "../policy/host-selection.ts";
import { expireIfOverdue } from "./expire-requests.ts";
import type { RequestNeeds } from "./needs.ts";
import type { Identity } from "./same-person.ts";

const HOUR = 3600;
/** Requests that one person can make in an hour: each one is a message to somebody. */
const MOST_AN_HOUR = 20;

/** One request, before it is judged. */
export interface NewRequest {
  engagement: Engagement;
  /** Null where it is for the whole engagement. */
  memberId: string | null;
  by: Identity;
  /** As people are to read it. */
  requestedBy: string;
  reason: string;
  ticket: string | null;
  /** The host whose refusal made it. */
  hostId: string | null;
}

/**
 * Asks for approval. While one is pending for the same member of the same engagement there is no second: that one is
 * returned. Codes `conflict` where there is nothing to approve, `message-malformed` where a ticket is missing, `rate-limited`.
 */
export async function requestApproval(
  needs: RequestNeeds,
  wanted: NewRequest,
): Promise<ApprovalRequestsTable> {
  const now = seconds(needs.environment.clock);
  checkApprovable(wanted, now);
  return inTransaction(needs.db, async (db) => {
    const pending = await stillPending({ ...needs, db }, wanted);
    if (pending !== undefined) return withReason({ ...needs, db }, pending, wanted);
    const { by } = wanted;
    if ((await countRequests(db, { issuer: by.issuer, subject: by.subject }, now - HOUR)) >= MOST_AN_HOUR) {
      const message =
        "You have asked for approval too often in the last hour. Wait, or ask the engagement's contact.";
      throw new SallyportError("rate-limited", message);
    }
    return insertRequest({ ...needs, db }, wanted);
  });
}

/** Adds a request, with the message about it; the one that is pending where another was quicker. Inside a transaction. */
export async function insertRequest(
  needs: RequestNeeds,
  { engagement, memberId, by, requestedBy, reason, ticket, hostId }: NewRequest,
): Promise<ApprovalRequestsTable> {
  const { db, environment, config } = needs;
  const now = seconds(environment.clock);
  const id = newId(environment, "apr");
  const added = await addRequest(db, {
    id,
    engagement_id: engagement.id,
    member_id: memberId,
    reason,
    ticket,
    host_id: hostId,
    issuer: by.issuer,
    subject: by.subject,
    email: by.email,
    requested_by: requestedBy,
    requested_at: now,
    expires_at: Math.min(now + config.approvals.requestLifetime, engagement.end),
  });
  const request = await pendingRequest(db, engagement.id, memberId);
  if (request === undefined) throw new TypeError("a request that was just added is pending");
  if (!added) return request;
  if (config.approvals.webhook !== null) await addMessage(db, id, now);
  const data = { id, engagement: engagement.name, member: memberId, reason, ticket, host: hostId };
  await audit(db, environment, { type: "approval-requested", actor: requestedBy, data });
  return request;
}

/** A person's own words take the place of what a refused login has put there for them, until somebody has answered. */
async function withReason(
  needs: RequestNeeds,
  pending: ApprovalRequestsTable,
  wanted: NewRequest,
): Promise<ApprovalRequestsTable> {
  const { db, environment, config } = needs;
  const { by, reason, ticket, requestedBy, engagement } = wanted;
  const isTheirs = pending.issuer === by.issuer && pending.subject === by.subject;
  if (!isTheirs || !(await giveReason(db, pending.id, { reason, ticket }))) return pending;
  if (config.approvals.webhook !== null) await addMessage(db, pending.id, seconds(environment.clock));
  const data = {
    id: pending.id,
    engagement: engagement.name,
    member: pending.member_id,
    reason,
    ticket,
    host: null,
  };
  await audit(db, environment, { type: "approval-requested", actor: requestedBy, data });
  return { ...pending, reason, ticket, host_id: null };
}

/** The pending request for the same, unless its time is over: then it is noted as expired. */
export async function stillPending(
  needs: RequestNeeds,
  { engagement, memberId }: Pick<NewRequest, "engagement" | "memberId">,
): Promise<ApprovalRequestsTable | undefined> {
  const pending: ApprovalRequestsTable | undefined = await pendingRequest(
    needs.db as Database,
    engagement.id,
    memberId,
  );
  if (pending === undefined || (await expireIfOverdue(needs, pending))) return undefined;
  return pending;
}

function checkApprovable({ engagement, ticket }: NewRequest, now: number): void {
  const { name, approval } = engagement;
  if (engagementState(engagement, now) === "ended") throw conflict(`The engagement ${name} is over.`);
  if (approval.rule === "none") throw conflict(`The engagement ${name} needs no approval.`);
  if (approval.rule === "activation" && approval.approved)
    throw conflict(`The engagement ${name} is approved already.`);
  if (approval.ticket && ticket === null) {
    const message = `A request for the engagement ${name} has to name a ticket: add --ticket.`;
    throw new SallyportError("message-malformed", message);
  }
}

function conflict(message: string): SallyportError {
  return new SallyportError("conflict", message);
}
