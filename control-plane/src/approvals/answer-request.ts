import { SallyportError } from "@sallyport/core/errors.ts";
import type { ApprovalAnswer } from "@sallyport/core/messages/approvals.ts";
import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import { audit } from "../audit/audit.ts";
import { addGrant } from "../database/approval-grants.ts";
import {
  addAnswer,
  answersTo,
  holdPending,
  moveRequest,
  requestById,
} from "../database/approval-requests.ts";
import { currentVersion, holdVersion } from "../database/engagement-versions.ts";
import { findEngagement } from "../database/engagements.ts";
import { inTransaction } from "../database/open-database.ts";
import type { ApprovalRequestsTable, Database } from "../database/tables.ts";
import { seconds } from "../environment.ts";
import { engagementState } from "../policy/host-selection.ts";
import { checkNotOwn, countApprovals, mayAnswer } from "./approver.ts";
import type { AnswerNeeds } from "./needs.ts";
import type { Identity } from "./same-person.ts";
import { requestNotFound, stateOf } from "./views.ts";

/** Who answers: an identity, and the name under which that is written down. */
export interface Answerer extends Identity {
  name: string;
}

/**
 * One person's yes or no. A no decides; a yes does when it is the last of as many people as the engagement asks for, who all
 * may still say so at that moment: then it is granted, once, whoever else answers at the same time. Resolves with the request
 * as it then is, and whether this answer granted it; hosts have not heard of that yet. Codes `not-found`; `forbidden` for those
 * who may not, or whose own it is; `conflict` where it cannot be answered any more, or the engagement has another version
 * than `ifVersion`, which the answer was about.
 */
export async function answerRequest(
  needs: AnswerNeeds,
  id: string,
  by: Answerer,
  { ifVersion, ...answer }: ApprovalAnswer,
): Promise<{ request: ApprovalRequestsTable; granted: boolean }> {
  return inTransaction(needs.db, async (db) => {
    const inside = { ...needs, db };
    const now = seconds(needs.environment.clock);
    const { request, engagement } = await answerable(inside, id, by, now, ifVersion);
    const { name: _, ...identity } = by;
    const row = { request_id: id, ...identity, ...answer, at: now };
    // Of two who answer at once, the second comes when the first is stored, and counts what they have said.
    if (!(await holdPending(db, id, now))) throw await notPending(inside, id, now);
    const isNew = await addAnswer(db, row);
    if (!isNew) await checkSameAnswer(inside, row);
    const state = await decide(inside, request, engagement, answer.decision, now);
    // Said again, as when the answer to it was lost, and nothing comes of it: it was written down before.
    if (!isNew && state === "pending") return { request: await reread(inside, id), granted: false };
    const { name, end } = engagement;
    const until = request.member_id === null ? null : Math.min(now + engagement.approval.lasts, end);
    const to = { state, at: now, ...(state === "approved" && { until }) };
    if (state !== "pending" && !(await moveRequest(db, id, "pending", to)))
      throw await notPending(inside, id, now);
    if (state === "approved") {
      const { engagement_id, member_id } = request;
      await addGrant(db, { request_id: id, engagement_id, member_id, until }, now);
    }
    const data = {
      id,
      engagement: name,
      member: request.member_id,
      ...answer,
      state,
      ...(state === "approved" && { until }),
    };
    await audit(db, needs.environment, { type: "approval-answered", actor: by.name, data });
    return { request: await reread(inside, id), granted: state === "approved" };
  });
}

async function answerable(
  needs: AnswerNeeds,
  id: string,
  by: Identity,
  now: number,
  ifVersion: number | undefined,
): Promise<{ request: ApprovalRequestsTable; engagement: Engagement }> {
  const request = await requestById(needs.db, id);
  // Held before it is read: what is decided on is that version.
  const isAsSeen =
    request === undefined ||
    ifVersion === undefined ||
    (await holdVersion(needs.db, request.engagement_id, ifVersion));
  const engagement = request && (await findEngagement(needs.db, request.engagement_id));
  if (request === undefined || engagement === undefined || !(await mayAnswer(needs, by, engagement)))
    throw requestNotFound(id);
  await checkNotOwn(needs.db, by, request, engagement);
  if (stateOf(request, now) !== "pending") throw await notPending(needs, id, now);
  checkStillMeant(request, engagement, now);
  if (!isAsSeen) throw await staleAnswer(needs.db, id, engagement, ifVersion);
  return { request, engagement };
}

/** What a request asks for can have gone since: the engagement, its rule, the member. */
function checkStillMeant(request: ApprovalRequestsTable, engagement: Engagement, now: number): void {
  const { name, approval, members } = engagement;
  const rule = request.member_id === null ? "activation" : "login";
  if (engagementState(engagement, now) === "ended") throw conflict(`The engagement ${name} is over.`);
  if (approval.rule !== rule)
    throw conflict(`The engagement ${name} does not ask for this approval any more.`);
  if (request.member_id !== null && !members.includes(request.member_id))
    throw conflict(`Whom this lets in is no longer a member of the engagement ${name}.`);
}

async function decide(
  needs: AnswerNeeds,
  request: ApprovalRequestsTable,
  engagement: Engagement,
  decision: ApprovalAnswer["decision"],
  now: number,
): Promise<"pending" | "approved" | "denied"> {
  if (decision === "deny") return "denied";
  if (request.expires_at <= now) return "pending";
  const answers = await answersTo(needs.db, [request.id]);
  const yes = await countApprovals(needs, answers, request, engagement);
  return yes >= engagement.approval.approvers ? "approved" : "pending";
}

/** The same answer twice is one; another one is not taken. */
async function checkSameAnswer(
  needs: AnswerNeeds,
  row: { request_id: string; issuer: string; subject: string; decision: string },
): Promise<void> {
  const before = (await answersTo(needs.db, [row.request_id])).find(
    ({ issuer, subject }) => issuer === row.issuer && subject === row.subject,
  );
  if (before?.decision === row.decision) return;
  throw conflict("You have approved this request before. Once it is approved it can be withdrawn.");
}

async function notPending(needs: AnswerNeeds, id: string, now: number): Promise<SallyportError> {
  const state = stateOf(await reread(needs, id), now);
  const next = state === "approved" ? " It can be withdrawn: sallyport approvals withdraw" : "";
  return conflict(`This request cannot be answered any more: it is ${state}.${next}`);
}

/** What one looked at is not what one would let somebody into now. */
async function staleAnswer(
  db: Database,
  id: string,
  { id: engagementId, name }: Engagement,
  seen: number | undefined,
): Promise<SallyportError> {
  const version = await currentVersion(db, engagementId);
  return conflict(
    `The engagement ${name} has version ${version} by now, and the answer is for version ${seen}, so it does not count. ` +
      `Look at it again (sallyport engagement show ${name}), then: sallyport approvals approve ${id}`,
  );
}

async function reread(needs: AnswerNeeds, id: string): Promise<ApprovalRequestsTable> {
  const request = await requestById(needs.db, id);
  if (request === undefined) throw requestNotFound(id);
  return request;
}

function conflict(message: string): SallyportError {
  return new SallyportError("conflict", message);
}
