import { SallyportError } from "@sallyport/core/errors.ts";
import { ApprovalState, type ApprovalView } from "@sallyport/core/messages/approvals.ts";
import type { Engagement, Member } from "@sallyport/core/policy/engagement.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { grantingRequests } from "../database/approval-grants.ts";
import { answersTo, latestRequest } from "../database/approval-requests.ts";
import { currentVersions } from "../database/engagement-versions.ts";
import { engagementsByIds, findEngagement } from "../database/engagements.ts";
import { listMembers } from "../database/members.ts";
import type { ApprovalAnswersTable, ApprovalRequestsTable, Database } from "../database/tables.ts";

/** The state of a request at `now` (seconds): past its time it is expired, noted or not. */
export function stateOf(request: ApprovalRequestsTable, now: number): ApprovalState {
  const state = ApprovalState.parse(request.state);
  return state === "pending" && request.expires_at <= now ? "expired" : state;
}

/** Requests as the API shows them; those for which `isOwn` is false without who asked, why, and who said what. */
export async function viewRequests(
  db: Database,
  requests: readonly ApprovalRequestsTable[],
  now: number,
  isOwn: (request: ApprovalRequestsTable) => boolean = () => true,
): Promise<ApprovalView[]> {
  if (requests.length === 0) return [];
  const named = [...new Set(requests.map(({ engagement_id }) => engagement_id))];
  // Before the engagements: of what is changed in between, an answer to this view is stale.
  const versions = await currentVersions(db, named);
  const engagements = new Map((await engagementsByIds(db, named)).map((each) => [each.id as string, each]));
  const memberIds = [...new Set(requests.flatMap(({ member_id }) => member_id ?? []))];
  const members = new Map((await listMembers(db, memberIds)).map((member) => [member.id, member]));
  const ids = requests.map(({ id }) => id);
  const answers = Map.groupBy(await answersTo(db, ids), ({ request_id }) => request_id);
  const granting = await grantingRequests(db, ids);
  return requests.flatMap((request) => {
    const engagement = engagements.get(request.engagement_id);
    if (engagement === undefined) return [];
    const member = request.member_id === null ? undefined : members.get(request.member_id);
    const state = shownState(request, granting, now);
    const version = versions.get(engagement.id) ?? 0;
    const whole = view(request, { ...engagement, version }, member, answers.get(request.id) ?? [], state);
    return isOwn(request) ? whole : { ...whole, reason: "", ticket: null, requestedBy: null, answers: [] };
  });
}

/** The error for a request that is not there, or is not for the caller to see. */
export function requestNotFound(id: string): SallyportError {
  return new SallyportError("not-found", `There is no request ${printable(id, 100)} for you to see.`);
}

/** An approval whose grant is gone before its time went with a change of the engagement: that is as good as withdrawn. */
function shownState(
  request: ApprovalRequestsTable,
  granting: ReadonlySet<string>,
  now: number,
): ApprovalState {
  const state = stateOf(request, now);
  const isGone = !granting.has(request.id) && (request.granted_until ?? Number.POSITIVE_INFINITY) > now;
  return state === "approved" && isGone ? "withdrawn" : state;
}

function view(
  request: ApprovalRequestsTable,
  engagement: Engagement & { version: number },
  member: Member | undefined,
  answers: readonly ApprovalAnswersTable[],
  state: ApprovalState,
): ApprovalView {
  return {
    id: request.id,
    engagement: { id: engagement.id, name: engagement.name, version: engagement.version },
    member: member === undefined ? null : { id: member.id, name: member.name, email: member.email },
    reason: request.reason,
    ticket: request.ticket,
    requestedBy: request.requested_by,
    automatic: request.host_id !== null,
    requestedAt: request.requested_at,
    expires: request.expires_at,
    state,
    approvers: engagement.approval.approvers,
    until: request.granted_until,
    answers: answers.map(({ email, subject, decision, note, at }) => ({
      by: email ?? printable(subject),
      decision: decision === "approve" ? "approve" : "deny",
      note,
      at,
    })),
  };
}

/**
 * What became of the approval that a member's login was refused for: the newest request. Null where nobody has asked, and for
 * what a host says of an engagement that is not the member's.
 */
export async function requestBehindRefusal(
  db: Database,
  memberId: string | undefined,
  refusal: { code: string | null; engagementId: string | null },
  now: number,
): Promise<ApprovalView | null> {
  if (memberId === undefined || refusal.code !== "approval-missing" || refusal.engagementId === null)
    return null;
  const engagement = await findEngagement(db, refusal.engagementId);
  if (engagement === undefined || !engagement.members.includes(memberId)) return null;
  const latest = await latestRequest(
    db,
    engagement.id,
    engagement.approval.rule === "login" ? memberId : null,
  );
  const isOwn = latest?.member_id === memberId;
  return latest === undefined ? null : ((await viewRequests(db, [latest], now, () => isOwn))[0] ?? null);
}
