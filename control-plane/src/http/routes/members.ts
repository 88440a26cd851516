import { InvitationWithdrawal, InviteRequest, MemberView } from "@sallyport/core/messages/members.ts";
import type { Engagement, Member } from "@sallyport/core/policy/engagement.ts";
import { z } from "zod";
import { listEngagements } from "../../database/engagements.ts";
import { invitationOf, invitationState, listInvitations } from "../../database/invitations.ts";
import { listMembers } from "../../database/members.ts";
import type { InvitationsTable } from "../../database/tables.ts";
import { seconds } from "../../environment.ts";
import { inviteMember, withdrawMember } from "../../policy/members.ts";
import type { Api } from "../api.ts";
import { actorName } from "../caller.ts";
import type { Services } from "../services.ts";
import { seesEngagement, sightOf } from "../sight.ts";
import { visibleEngagements } from "../visible-engagements.ts";

const ById = z.object({ id: z.string().max(255).describe("Id or e-mail address.") });

/** Members and their invitations: a sponsor sees those of their engagements, a contractor themselves. */
export function memberRoutes(api: Api, services: Services): void {
  const { db, environment, config } = services;

  api.add(
    {
      method: "get",
      path: "/members",
      access: "engagements:read",
      summary: "Members, and where their invitations stand",
      answer: { status: 200, schema: z.array(MemberView), description: "Those that the caller may see." },
    },
    async ({ caller }) => {
      const sight = sightOf(caller, "engagements:read");
      const engagements = await visibleEngagements(db, sight);
      const sponsored = engagements.filter((one) => seesEngagement({ ...sight, memberId: undefined }, one));
      const inSight = new Set([sight.memberId ?? [], ...sponsored.map(({ members }) => members)].flat());
      const members = await listMembers(db, sight.all ? undefined : [...inSight]);
      const invitations = await listInvitations(db);
      const now = seconds(environment.clock);
      return members.map((member) => view(member, invitations.get(member.id), engagements, now));
    },
  );

  api.add(
    {
      method: "post",
      path: "/members",
      access: "engagements:write",
      summary: "Invite somebody, or renew an invitation that was not used",
      body: InviteRequest,
      answer: { status: 201, schema: MemberView, description: "Who is invited, and until when." },
      errors: ["conflict"],
    },
    async ({ body, caller }) => {
      const { reason, ...wanted } = body;
      const author = { by: actorName(caller), why: reason, lifetime: config.invitationLifetime };
      return described(services, await inviteMember({ db, environment }, wanted, author));
    },
  );

  api.add(
    {
      method: "delete",
      path: "/members/{id}/invitation",
      access: "engagements:write",
      summary: "Take back an invitation that was not used",
      params: ById,
      query: InvitationWithdrawal,
      answer: { status: 200, schema: MemberView, description: "The member, who can no longer sign in." },
      errors: ["not-found", "conflict"],
    },
    async ({ params, query, caller }) => {
      const author = { by: actorName(caller), why: query.reason };
      return described(services, await withdrawMember({ db, environment }, params.id, author));
    },
  );
}

async function described({ db, environment }: Services, member: Member): Promise<MemberView> {
  const engagements = await listEngagements(db, member.id);
  return view(member, await invitationOf(db, member.id), engagements, seconds(environment.clock));
}

function view(
  { id, name, email, vendor, account, identities }: Member,
  invitation: InvitationsTable | undefined,
  engagements: readonly Engagement[],
  now: number,
): MemberView {
  const state = identities.length > 0 ? "active" : invitationState(invitation, now);
  return {
    ...{ id, name, email, vendor, account, state },
    invitedBy: invitation?.invited_by ?? null,
    invitedAt: invitation?.invited_at ?? null,
    expiresAt: state === "active" ? null : (invitation?.expires_at ?? null),
    engagements: engagements.filter(({ members }) => members.includes(id)).map((one) => one.name),
  };
}
