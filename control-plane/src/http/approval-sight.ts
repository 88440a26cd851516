import { requestNotFound } from "../approvals/views.ts";
import { type RequestSight, requestById } from "../database/approval-requests.ts";
import type { ApprovalRequestsTable, Database } from "../database/tables.ts";
import type { Caller } from "./caller.ts";
import { seesEngagement, sightOf } from "./sight.ts";
import { visibleEngagements } from "./visible-engagements.ts";

/** Which requests a caller sees, and of which all: of an activation that others asked for a member sees only that it is there. */
export interface SeenRequests {
  all: boolean;
  visible: RequestSight;
  isOwn(request: ApprovalRequestsTable): boolean;
}

/** Contractors see their own and the activations of their engagements, sponsors those of theirs, the others all. */
export async function sightOfRequests(db: Database, caller: Caller): Promise<SeenRequests> {
  const sight = sightOf(caller, "approvals:read");
  const { memberId } = sight;
  const bound = sight.all ? [] : await visibleEngagements(db, sight);
  const idsSeenAs = (as: Parameters<typeof seesEngagement>[0]) =>
    bound.filter((engagement) => seesEngagement(as, engagement)).map(({ id }) => id);
  const { issuer, subject } = caller;
  const engagementIds = idsSeenAs({ ...sight, memberId: undefined });
  const activationsOf = idsSeenAs({ ...sight, sponsor: undefined });
  return {
    all: sight.all,
    visible: { memberId, issuer, subject, engagementIds, activationsOf },
    isOwn: (request) =>
      sight.all ||
      engagementIds.includes(request.engagement_id) ||
      (memberId !== undefined && request.member_id === memberId) ||
      (request.issuer === issuer && request.subject === subject),
  };
}

/** One request, if it is in sight. Code `not-found`. */
export async function seenRequest(
  db: Database,
  caller: Caller,
  id: string,
): Promise<{ request: ApprovalRequestsTable; isOwn: boolean }> {
  const request = await requestById(db, id);
  if (request === undefined) throw requestNotFound(id);
  const { isOwn, visible } = await sightOfRequests(db, caller);
  const isActivation = request.member_id === null && visible.activationsOf.includes(request.engagement_id);
  if (!isOwn(request) && !isActivation) throw requestNotFound(id);
  return { request, isOwn: isOwn(request) };
}
