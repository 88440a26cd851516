import { type Answerer, answerRequest } from "@sallyport/control-plane/approvals/answer-request.ts";
import { ApprovalsConfiguration } from "@sallyport/control-plane/approvals/approvals-configuration.ts";
import { requestOnRefusal } from "@sallyport/control-plane/approvals/automatic-request.ts";
import type { AnswerNeeds } from "@sallyport/control-plane/approvals/needs.ts";
import { requestApproval } from "@sallyport/control-plane/approvals/request-approval.ts";
import { findEngagement } from "@sallyport/control-plane/database/engagements.ts";
import type { Host } from "@sallyport/control-plane/database/hosts.ts";
import { memberByEmail, pinIdentity } from "@sallyport/control-plane/database/members.ts";
import { inTransaction } from "@sallyport/control-plane/database/open-database.ts";
import { pinStaffIdentity } from "@sallyport/control-plane/database/staff.ts";
import type { ApprovalRequestsTable } from "@sallyport/control-plane/database/tables.ts";
import { newId } from "@sallyport/control-plane/environment.ts";
import { applyPolicy } from "@sallyport/control-plane/policy/apply-policy.ts";
import type { HostEvent } from "@sallyport/core/messages/host-link.ts";
import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import { makeWorld, type World } from "../support/world.ts";

export const COMPANY = "https://idp.company.test";
export const VENDOR = "https://idp.vendor.test";
const HOST = { id: "hst_00000000000000000000000001", name: "web-1", labels: {} } as Pick<
  Host,
  "id" | "name" | "labels"
>;

type Staff = AnswerNeeds["config"]["staff"][number];

/** A world in which people ask for approval and answer. Names stand for e-mails: staff at company.test, members at vendor.test. */
export interface ApprovalWorld extends World {
  needs: AnswerNeeds & { config: { staff: Staff[] } };
  engagement(name: string): Promise<Engagement>;
  memberId(name: string): Promise<string>;
  /** An identity of staff, pinned to an entry with this role. */
  staff(name: string, role: Staff["role"]): Promise<Answerer>;
  /** An identity of a member, pinned. */
  member(name: string, issuer?: string): Promise<Answerer>;
  ask(engagement: string, name?: string, ticket?: string): Promise<ApprovalRequestsTable>;
  answer(
    id: string,
    by: Answerer,
    decision?: "approve" | "deny",
    ifVersion?: number,
  ): ReturnType<typeof answerRequest>;
  /** A host says that it refused this member's login. */
  refused(event: Partial<HostEvent>, host?: object): Promise<ApprovalRequestsTable | undefined>;
  audited(type: string): Promise<Record<string, unknown>[]>;
}

const ENGAGEMENTS = {
  login: "{ rule: login, lasts: 3600 }",
  activation: "{ rule: activation }",
  pair: "{ rule: login, lasts: 3600, approvers: 2 }",
  ticket: "{ rule: login, ticket: true }",
  free: "{ rule: none }",
};

function policyText(rules: Record<string, string>): string {
  const members = ["dana", "rob", "eve"].map(
    (name) => `  - { name: ${name}, email: ${name}@vendor.test, vendor: vendor }`,
  );
  const other = ["  - { name: olga, email: olga@other.test, vendor: other }"];
  const engagement = (name: string, vendor: string, who: string, approval: string) => `
  - name: ${name}
    vendor: ${vendor}
    members: [${who}]
    hosts: { names: [web-1] }
    accounts: [deploy]
    start: 2026-01-01
    end: 2090-01-01
    contact: sec@company.test
    sponsor: spencer@company.test
    approval: ${approval}`;
  return `version: 1
members:
${[...members, ...other].join("\n")}
engagements:${Object.entries(rules)
    .map(([name, approval]) => engagement(name, "vendor", "dana@vendor.test, rob@vendor.test", approval))
    .join(
      "",
    )}${engagement("foreign", "other", "olga@other.test", "{ rule: login }").replace("spencer", "sven")}
`;
}

export async function approvalWorld(): Promise<ApprovalWorld> {
  const world = await makeWorld();
  const { db, environment, time } = world;
  await applyPolicy(db, environment, { text: policyText(ENGAGEMENTS), file: "policy.yaml" });
  const config = {
    approvals: ApprovalsConfiguration.parse({}),
    staff: [] as Staff[],
    staffGroups: [],
    issuers: [{ issuer: COMPANY }, { issuer: VENDOR }],
  };
  const needs = { db, environment, config };
  const engagement = async (name: string): Promise<Engagement> => {
    const found = await findEngagement(db, name);
    if (found === undefined) throw new Error(`no engagement ${name}`);
    return found;
  };
  const memberByName = async (name: string) => {
    const found = await memberByEmail(db, `${name}@${name === "olga" ? "other" : "vendor"}.test`);
    if (found === undefined) throw new Error(`no member ${name}`);
    return found;
  };
  return {
    ...world,
    needs,
    engagement,
    memberId: async (name) => (await memberByName(name)).id,
    staff: async (name, role) => {
      const email = `${name}@company.test`;
      config.staff.push({ email, role, roles: [] } as unknown as Staff);
      const identity = { issuer: COMPANY, subject: name };
      await pinStaffIdentity(db, { ...identity, email, pinned_at: time.now });
      return { ...identity, email, name: email };
    },
    member: async (name, issuer = VENDOR) => {
      const { id, email } = await memberByName(name);
      const identity = { issuer, subject: name };
      await pinIdentity(db, { ...identity, member_id: id, pinned_at: time.now });
      return { ...identity, email, name: email ?? name };
    },
    ask: async (name, who = "dana", ticket) => {
      const found = await engagement(name);
      const { id, email } = await memberByName(who);
      return requestApproval(needs, {
        engagement: found,
        memberId: found.approval.rule === "login" ? id : null,
        by: { issuer: VENDOR, subject: who, email },
        requestedBy: email ?? who,
        reason: "a disk is full",
        ticket: ticket ?? null,
        hostId: null,
      });
    },
    answer: (id, by, decision = "approve", ifVersion) =>
      answerRequest(needs, id, by, { decision, note: "", ...(ifVersion === undefined ? {} : { ifVersion }) }),
    refused: async (event, host) => {
      const nothing = {
        ...{ sourceAddress: null, certificateSerial: null, sessionId: null, detail: "", told: null },
        ...{ id: newId(environment, "evt"), at: environment.clock(), type: "login-refused" as const },
        ...{ account: "deploy", code: "approval-missing", issuer: VENDOR, subject: "dana" },
        memberId: (await memberByName("dana")).id,
        engagementId: (await engagement("login")).id,
      };
      return inTransaction(db, (inside) =>
        requestOnRefusal({ ...needs, db: inside }, { ...HOST, ...host }, {
          ...nothing,
          ...event,
        } as HostEvent),
      );
    },
    audited: async (type) => {
      const rows = await db
        .selectFrom("audit_events")
        .selectAll()
        .where("type", "=", type)
        .orderBy("leaf_index")
        .execute();
      return rows.map(({ actor, data_json }) => ({ actor, ...(JSON.parse(data_json) as object) }));
    },
  };
}
