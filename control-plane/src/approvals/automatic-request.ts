import type { HostEvent } from "@sallyport/core/messages/host-link.ts";
import { AccountName } from "@sallyport/core/names.ts";
import type { Engagement, Member } from "@sallyport/core/policy/engagement.ts";
import { countRequests, latestRequest } from "../database/approval-requests.ts";
import { findEngagement } from "../database/engagements.ts";
import type { Host } from "../database/hosts.ts";
import { memberById } from "../database/members.ts";
import { revocationOf } from "../database/revocations.ts";
import type { ApprovalRequestsTable } from "../database/tables.ts";
import { seconds } from "../environment.ts";
import { engagementState, selects } from "../policy/host-selection.ts";
import type { RequestNeeds } from "./needs.ts";
import { insertRequest, stillPending } from "./request-approval.ts";

const HOUR = 3600;
/** Requests that refusals of one host can make in an hour. */
const MOST_OF_A_HOST = 30;

/**
 * Makes a request out of a login that a host refused with `approval-missing`, so that nobody has to type one; none where a
 * ticket is needed. What the host says is only believed as far as it could have come to it: about an engagement that means it,
 * a member of that, and their own identity. After somebody has said no, or taken a yes back, it waits an hour. Inside the
 * transaction that stores the event. Undefined where nothing is asked for.
 */
export async function requestOnRefusal(
  needs: RequestNeeds,
  host: Pick<Host, "id" | "name" | "labels">,
  event: HostEvent,
): Promise<ApprovalRequestsTable | undefined> {
  const { db, environment } = needs;
  if (event.type !== "login-refused" || event.code !== "approval-missing") return undefined;
  const now = seconds(environment.clock);
  const engagement = event.engagementId === null ? undefined : await findEngagement(db, event.engagementId);
  if (engagement === undefined || !isOpenFor(engagement, host, now)) return undefined;
  const member = await refusedMember(needs, engagement, event);
  if (member === undefined || isApproved(engagement, member, now)) return undefined;
  const memberId = engagement.approval.rule === "login" ? member.id : null;
  if (await stillPending(needs, { engagement, memberId })) return undefined;
  if (await wasJustTurnedDown(needs, engagement.id, memberId, now)) return undefined;
  if ((await countRequests(db, { hostId: host.id }, now - HOUR)) >= MOST_OF_A_HOST) return undefined;
  const account = AccountName.safeParse(event.account).data ?? "an account";
  return insertRequest(needs, {
    engagement,
    memberId,
    by: { issuer: event.issuer ?? "", subject: event.subject ?? "", email: member.email },
    requestedBy: member.email ?? member.name,
    reason: `login to ${host.name} as ${account} refused`,
    ticket: null,
    hostId: host.id,
  });
}

function isOpenFor(engagement: Engagement, host: Pick<Host, "name" | "labels">, now: number): boolean {
  const { rule, ticket } = engagement.approval;
  if (rule === "none" || ticket) return false;
  return selects(engagement.hosts, host) && engagementState(engagement, now) === "running";
}

/** The member that the event is about, when the identity is theirs and nobody has revoked them. */
async function refusedMember(
  { db, environment }: RequestNeeds,
  engagement: Engagement,
  event: HostEvent,
): Promise<Member | undefined> {
  if (event.memberId === null || !engagement.members.includes(event.memberId)) return undefined;
  const member = await memberById(db, event.memberId);
  const identity = member?.identities.find(
    ({ issuer, subject }) => issuer === event.issuer && subject === event.subject,
  );
  if (member === undefined || identity === undefined) return undefined;
  const revoked = await revocationOf(db, {
    ...identity,
    ...{ memberId: member.id, engagementId: engagement.id },
    vendors: [member.vendor, engagement.vendor],
    // Only what reaches sign-ins to come as well: for the others there is a host that decides.
    signedInAt: seconds(environment.clock),
  });
  return revoked === undefined ? member : undefined;
}

function isApproved({ approval }: Engagement, member: Member, now: number): boolean {
  if (approval.rule === "activation") return approval.approved;
  return approval.granted.some((grant) => grant.member === member.id && grant.until > now);
}

async function wasJustTurnedDown(
  { db }: RequestNeeds,
  engagementId: string,
  memberId: string | null,
  now: number,
): Promise<boolean> {
  const latest = await latestRequest(db, engagementId, memberId);
  return (
    latest?.decided_at != null &&
    ["denied", "withdrawn", "cancelled"].includes(latest.state) &&
    latest.decided_at > now - HOUR
  );
}
