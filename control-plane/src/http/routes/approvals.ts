import { SallyportError } from "@sallyport/core/errors.ts";
import {
  ApprovalAnswer,
  ApprovalFilter,
  ApprovalOutcome,
  ApprovalRequest,
  ApprovalView,
  ApprovalWithdrawal,
} from "@sallyport/core/messages/approvals.ts";
import { z } from "zod";
import { answerRequest } from "../../approvals/answer-request.ts";
import { mayAnswer } from "../../approvals/approver.ts";
import { requestApproval } from "../../approvals/request-approval.ts";
import { requestNotFound, viewRequests } from "../../approvals/views.ts";
import { withdrawApproval } from "../../approvals/withdraw-approval.ts";
import { listRequests } from "../../database/approval-requests.ts";
import { findEngagement } from "../../database/engagements.ts";
import { listHosts } from "../../database/hosts.ts";
import type { ApprovalRequestsTable } from "../../database/tables.ts";
import { seconds } from "../../environment.ts";
import { engagementNotFound } from "../../policy/end-engagement.ts";
import { selects } from "../../policy/host-selection.ts";
import type { Api } from "../api.ts";
import { seenRequest, sightOfRequests } from "../approval-sight.ts";
import { actorName, type Caller } from "../caller.ts";
import type { Services } from "../services.ts";
import { seesEngagement, sightOf } from "../sight.ts";
import { slackRoute } from "./approvals-slack.ts";

const ById = z.object({ id: z.string().max(64) });

/** Requests for approval: contractors ask, approvers and sponsors answer, and either can take back what is theirs. */
export function approvalRoutes(api: Api, services: Services): void {
  const { db, environment } = services;
  const now = () => seconds(environment.clock);

  api.add(
    {
      method: "post",
      path: "/approvals",
      access: "approvals:request",
      summary: "Ask for an approval; while one is pending, that one is answered",
      body: ApprovalRequest,
      answer: { status: 201, schema: ApprovalView, description: "The request." },
      errors: ["not-found", "conflict", "rate-limited"],
    },
    async ({ body, caller }) => {
      const request = await requestApproval(services, await newRequest(services, caller, body));
      // It may be another's that was pending already.
      const { isOwn } = await sightOfRequests(db, caller);
      return (await viewRequests(db, [request], now(), isOwn))[0];
    },
  );

  api.add(
    {
      method: "get",
      path: "/approvals",
      access: "approvals:read",
      summary: "Requests for approval, newest first",
      query: ApprovalFilter,
      answer: { status: 200, schema: z.array(ApprovalView), description: "Those that the caller may see." },
      errors: ["not-found"],
    },
    async ({ query, caller }) => {
      const sight = await sightOfRequests(db, caller);
      const { engagement: name, ...filter } = query;
      const engagement = name === undefined ? undefined : await visibleEngagement(services, caller, name);
      const visible = sight.all ? undefined : sight.visible;
      const engagementId = engagement?.id;
      const rows = await listRequests(db, { ...filter, engagementId, visible, now: now() });
      return viewRequests(db, rows, now(), sight.isOwn);
    },
  );

  api.add(
    {
      method: "get",
      path: "/approvals/{id}",
      access: "approvals:read",
      summary: "One request for approval",
      params: ById,
      answer: { status: 200, schema: ApprovalView, description: "The request." },
      errors: ["not-found"],
    },
    async ({ params, caller }) => {
      const { request, isOwn } = await seenRequest(db, caller, params.id);
      return (await viewRequests(db, [request], now(), () => isOwn))[0];
    },
  );

  api.add(
    {
      method: "post",
      path: "/approvals/{id}/answer",
      access: "approvals:answer",
      summary: "Approve or deny a request that is not one's own",
      params: ById,
      body: ApprovalAnswer,
      answer: { status: 200, schema: ApprovalOutcome, description: "The request, and which hosts know." },
      errors: ["not-found", "conflict"],
    },
    async ({ params, body, caller }) => {
      const { issuer, subject } = caller;
      const by = { issuer, subject, email: caller.email ?? null, name: actorName(caller) };
      const { request, granted } = await answerRequest(services, params.id, by, body);
      return outcome(services, request, granted);
    },
  );

  api.add(
    {
      method: "post",
      path: "/approvals/{id}/withdraw",
      access: "approvals:read",
      summary: "Take an approval back, or give up one's own request",
      params: ById,
      body: ApprovalWithdrawal,
      answer: { status: 200, schema: ApprovalOutcome, description: "The request, and which hosts know." },
      errors: ["not-found", "conflict"],
    },
    async ({ params, body, caller }) => {
      const { request } = await seenRequest(db, caller, params.id);
      const rights = await withdrawalRights(services, caller, request);
      const by = { name: actorName(caller), reason: body.reason, ...rights };
      const after = await withdrawApproval(services, request, by);
      return { ...(await outcome(services, after.request, after.revoked)), stillApproved: after.others };
    },
  );

  slackRoute(api, services);
}

async function newRequest(services: Services, caller: Caller, body: z.output<typeof ApprovalRequest>) {
  const sight = sightOf(caller, "approvals:request");
  const engagement = await visibleEngagement(services, caller, body.engagement);
  const isMember = sight.memberId !== undefined && engagement.members.includes(sight.memberId);
  const isLogin = engagement.approval.rule === "login";
  if (!isMember && (isLogin || !caller.permissions.has("engagements:write"))) {
    const message = isLogin
      ? `Only its members ask to log in by the engagement ${engagement.name}.`
      : "Only members of the engagement and admins ask for its activation.";
    throw new SallyportError("forbidden", message);
  }
  const { issuer, subject } = caller;
  return {
    engagement,
    memberId: isLogin ? (sight.memberId ?? null) : null,
    by: { issuer, subject, email: caller.email ?? null },
    requestedBy: actorName(caller),
    reason: body.reason,
    ticket: body.ticket,
    hostId: null,
  };
}

async function visibleEngagement({ db }: Services, caller: Caller, name: string) {
  const engagement = await findEngagement(db, name);
  if (engagement === undefined || !seesEngagement(sightOf(caller, "engagements:read"), engagement))
    throw engagementNotFound(name);
  return engagement;
}

async function withdrawalRights(services: Services, caller: Caller, request: ApprovalRequestsTable) {
  const engagement = await findEngagement(services.db, request.engagement_id);
  if (engagement === undefined) throw requestNotFound(request.id);
  const asks = caller.permissions.has("approvals:request");
  const isFor = asks && request.member_id !== null && request.member_id === caller.member?.id;
  const isBy = asks && request.issuer === caller.issuer && request.subject === caller.subject;
  const answers =
    caller.permissions.has("approvals:answer") && (await mayAnswer(services, caller, engagement));
  return { withdraw: answers || isFor, cancel: isBy || isFor };
}

async function outcome(
  services: Services,
  request: ApprovalRequestsTable,
  changed: boolean,
): Promise<ApprovalOutcome> {
  const { db, environment, hosts } = services;
  const [view] = await viewRequests(db, [request], seconds(environment.clock));
  const engagement = await findEngagement(db, request.engagement_id);
  if (view === undefined || engagement === undefined) throw requestNotFound(request.id);
  if (!changed) return { request: view, hosts: [], stillApproved: [] };
  const have = await hosts.publishBundles();
  const meant = (await listHosts(db)).filter((host) => selects(engagement.hosts, host));
  const known = meant.map(({ id, name }) => ({ host: name, acknowledged: have.has(id) }));
  return { request: view, hosts: known, stillApproved: [] };
}
