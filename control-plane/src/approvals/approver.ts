import { SallyportError } from "@sallyport/core/errors.ts";
import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import { listMembers } from "../database/members.ts";
import type { ApprovalAnswersTable, ApprovalRequestsTable, Database } from "../database/tables.ts";
import { staffOf } from "../http/caller.ts";
import { permits } from "../people/permissions.ts";
import type { AnswerNeeds } from "./needs.ts";
import { type Identity, isSamePerson, type Traits, traitsOf, traitsOfMember } from "./same-person.ts";

/** Whether somebody's roles let them answer for this engagement: approvers and admins for all, sponsors for their own. */
export async function mayAnswer(
  needs: AnswerNeeds,
  who: Pick<Identity, "issuer" | "subject">,
  engagement: Pick<Engagement, "sponsor">,
): Promise<boolean> {
  const { db, environment, config } = needs;
  const { email, roles } = await staffOf({ db, clock: environment.clock, config }, who);
  const unbound = roles.filter((role) => role !== "sponsor");
  if (permits(unbound, "approvals:answer")) return true;
  return roles.includes("sponsor") && email !== undefined && engagement.sponsor === email;
}

/**
 * Everybody whose own request this is: who asked, and whom it lets in, which of an activation are all the members. Code
 * `forbidden` for one of them, by whatever role or sign-in they come.
 */
export async function checkNotOwn(
  db: Database,
  who: Identity,
  request: ApprovalRequestsTable,
  engagement: Engagement,
): Promise<void> {
  if (!(await isOwn(db, await traitsOf(db, who), request, engagement))) return;
  throw new SallyportError(
    "forbidden",
    "This request is your own, or lets you in: somebody else has to answer it. Nobody approves their own.",
  );
}

/** The different people whose yes counts now: who still may, and whose own request it is not. */
export async function countApprovals(
  needs: AnswerNeeds,
  answers: readonly ApprovalAnswersTable[],
  request: ApprovalRequestsTable,
  engagement: Engagement,
): Promise<number> {
  const people: Traits[] = [];
  for (const answer of answers) {
    if (answer.decision !== "approve" || !(await mayAnswer(needs, answer, engagement))) continue;
    const traits = await traitsOf(needs.db, answer);
    if (await isOwn(needs.db, traits, request, engagement)) continue;
    if (!people.some((other) => isSamePerson(other, traits))) people.push(traits);
  }
  return people.length;
}

async function isOwn(
  db: Database,
  traits: Traits,
  request: ApprovalRequestsTable,
  engagement: Engagement,
): Promise<boolean> {
  if (isSamePerson(traits, await traitsOf(db, request))) return true;
  const concerned = request.member_id === null ? engagement.members : [request.member_id];
  for (const member of await listMembers(db, concerned))
    if (isSamePerson(traits, await traitsOfMember(db, member))) return true;
  return false;
}
