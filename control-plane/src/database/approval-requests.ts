import type { ApprovalState } from "@sallyport/core/messages/approvals.ts";
import type { ApprovalAnswersTable, ApprovalRequestsTable, Database } from "./tables.ts";

/** Whose requests somebody may see. */
export interface RequestSight {
  memberId: string | undefined;
  issuer: string;
  subject: string;
  /** Of these engagements all. */
  engagementIds: readonly string[];
  /** Of these engagements those that are for the whole of it. */
  activationsOf: readonly string[];
}

/** Which requests to list. */
export interface RequestFilter {
  state?: ApprovalState | undefined;
  engagementId?: string | undefined;
  before?: string | undefined;
  /** Undefined: all. */
  visible?: RequestSight | undefined;
  /** Seconds: what is past its time counts as expired, also before it was noted. */
  now: number;
  limit: number;
}

/** Where two requests would be the same while they are pending. */
export function pendingKey(engagementId: string, memberId: string | null): string {
  return `${engagementId} ${memberId ?? ""}`;
}

/** Adds a request; false when one for the same member of the same engagement is pending. */
export async function addRequest(
  db: Database,
  request: Omit<ApprovalRequestsTable, "state" | "decided_at" | "granted_until" | "answered" | "pending_key">,
): Promise<boolean> {
  const result = await db
    .insertInto("approval_requests")
    .values({
      ...request,
      state: "pending",
      decided_at: null,
      granted_until: null,
      answered: 0,
      pending_key: pendingKey(request.engagement_id, request.member_id),
    })
    .onConflict((conflict) => conflict.column("pending_key").doNothing())
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** One request. */
export async function requestById(db: Database, id: string): Promise<ApprovalRequestsTable | undefined> {
  return db.selectFrom("approval_requests").selectAll().where("id", "=", id).executeTakeFirst();
}

/** The request that is pending for this member of this engagement. */
export async function pendingRequest(
  db: Database,
  engagementId: string,
  memberId: string | null,
): Promise<ApprovalRequestsTable | undefined> {
  return db
    .selectFrom("approval_requests")
    .selectAll()
    .where("pending_key", "=", pendingKey(engagementId, memberId))
    .executeTakeFirst();
}

/** The newest request for this member of this engagement. */
export async function latestRequest(
  db: Database,
  engagementId: string,
  memberId: string | null,
): Promise<ApprovalRequestsTable | undefined> {
  return db
    .selectFrom("approval_requests")
    .selectAll()
    .where("engagement_id", "=", engagementId)
    .where("member_id", memberId === null ? "is" : "=", memberId)
    .orderBy("requested_at", "desc")
    .orderBy("id", "desc")
    .executeTakeFirst();
}

/** Puts a person's words into a request that a host's refusal made; false once it was answered, or is a person's. */
export async function giveReason(
  db: Database,
  id: string,
  words: { reason: string; ticket: string | null },
): Promise<boolean> {
  const result = await db
    .updateTable("approval_requests")
    .set({ ...words, host_id: null })
    .where("id", "=", id)
    .where("state", "=", "pending")
    .where("host_id", "is not", null)
    .where("answered", "=", 0)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** How many requests there were since a time, by the same person or by the same host. */
export async function countRequests(
  db: Database,
  who: { issuer: string; subject: string } | { hostId: string },
  since: number,
): Promise<number> {
  let query = db
    .selectFrom("approval_requests")
    .select(({ fn }) => fn.countAll().as("count"))
    .where("requested_at", ">", since);
  query =
    "hostId" in who
      ? query.where("host_id", "=", who.hostId)
      : query
          .where("issuer", "=", who.issuer)
          .where("subject", "=", who.subject)
          .where("host_id", "is", null);
  return Number((await query.executeTakeFirstOrThrow()).count);
}

/** Requests, newest first. */
export async function listRequests(db: Database, filter: RequestFilter): Promise<ApprovalRequestsTable[]> {
  const { state, engagementId, before, visible, now, limit } = filter;
  let query = db.selectFrom("approval_requests").selectAll();
  if (state === "pending") query = query.where("state", "=", "pending").where("expires_at", ">", now);
  else if (state === "expired") {
    query = query.where(({ eb, and, or }) =>
      or([eb("state", "=", "expired"), and([eb("state", "=", "pending"), eb("expires_at", "<=", now)])]),
    );
  } else if (state !== undefined) query = query.where("state", "=", state);
  if (engagementId !== undefined) query = query.where("engagement_id", "=", engagementId);
  if (before !== undefined) query = query.where("id", "<", before);
  if (visible !== undefined) {
    const { memberId, issuer, subject, engagementIds, activationsOf } = visible;
    query = query.where(({ eb, and, or }) =>
      or([
        and([eb("issuer", "=", issuer), eb("subject", "=", subject)]),
        ...(memberId === undefined ? [] : [eb("member_id", "=", memberId)]),
        ...(engagementIds.length === 0 ? [] : [eb("engagement_id", "in", [...engagementIds])]),
        ...(activationsOf.length === 0
          ? []
          : [and([eb("member_id", "is", null), eb("engagement_id", "in", [...activationsOf])])]),
      ]),
    );
  }
  return query.orderBy("id", "desc").limit(limit).execute();
}

/** Counts an answer to a request that is pending and in time; false when it is not to be answered any more. */
export async function holdPending(db: Database, id: string, now: number): Promise<boolean> {
  const result = await db
    .updateTable("approval_requests")
    .set(({ eb }) => ({ answered: eb("answered", "+", 1) }))
    .where("id", "=", id)
    .where("state", "=", "pending")
    .where("expires_at", ">", now)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Moves a request from one state to another; false when it was not in that state. */
export async function moveRequest(
  db: Database,
  id: string,
  from: ApprovalState,
  to: { state: ApprovalState; at: number; until?: number | null },
): Promise<boolean> {
  const result = await db
    .updateTable("approval_requests")
    .set({
      state: to.state,
      decided_at: to.at,
      pending_key: null,
      ...(to.until !== undefined && { granted_until: to.until }),
    })
    .where("id", "=", id)
    .where("state", "=", from)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Pending requests whose time is over, the oldest first. */
export async function overdueRequests(
  db: Database,
  now: number,
  limit: number,
): Promise<ApprovalRequestsTable[]> {
  return db
    .selectFrom("approval_requests")
    .selectAll()
    .where("state", "=", "pending")
    .where("expires_at", "<=", now)
    .orderBy("expires_at")
    .limit(limit)
    .execute();
}

/** Adds an answer; false when this identity has answered before. */
export async function addAnswer(db: Database, answer: ApprovalAnswersTable): Promise<boolean> {
  const result = await db
    .insertInto("approval_answers")
    .values(answer)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** The answers to these requests, in the order in which they came. */
export async function answersTo(db: Database, ids: readonly string[]): Promise<ApprovalAnswersTable[]> {
  if (ids.length === 0) return [];
  return db
    .selectFrom("approval_answers")
    .selectAll()
    .where("request_id", "in", [...ids])
    .orderBy("at")
    .orderBy("issuer")
    .orderBy("subject")
    .execute();
}
