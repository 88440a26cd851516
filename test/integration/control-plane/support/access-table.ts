/** Who calls in the table of access. `vendor` is the one whose things the rows are about, `rival` another vendor. */
export const ROLES = [
  "nobody",
  "expired",
  "contractor",
  "rival",
  "revoked",
  "sponsor",
  "otherSponsor",
  "approver",
  "auditor",
  "admin",
  "token",
] as const;
export type TableRole = (typeof ROLES)[number];

/** What there is to call routes with. */
export interface Things {
  session: string;
  request: string;
  ownRequest: string;
}

/** How a route is called, and who has what it is about in sight. */
export interface Row {
  /** What stands for the parameters of the path. */
  path?: Partial<Record<string, keyof Things | { literal: string }>>;
  query?: string;
  body?: unknown;
  /** Who sees the thing, of those who have the permission; everybody where it is not said. Others get 404. */
  seenBy?: readonly TableRole[];
  /** Status for those who have permission and see it, where it is not the documented one. */
  status?: number;
  /** Exceptions, with the reason beside them. */
  but?: Partial<Record<TableRole, number>>;
}

/** Who has each permission, written down a second time: the program's own table is what is being tested. `token` has two scopes. */
export const MAY: Record<string, readonly TableRole[]> = {
  "engagements:read": [
    "contractor",
    "rival",
    "sponsor",
    "otherSponsor",
    "approver",
    "auditor",
    "admin",
    "token",
  ],
  "engagements:write": ["admin"],
  "engagements:end": ["sponsor", "otherSponsor", "admin"],
  "approvals:request": ["contractor", "rival", "admin"],
  "approvals:read": [
    "contractor",
    "rival",
    "sponsor",
    "otherSponsor",
    "approver",
    "auditor",
    "admin",
    "token",
  ],
  "approvals:answer": ["sponsor", "otherSponsor", "approver", "admin"],
  "hosts:read": ["contractor", "rival", "sponsor", "otherSponsor", "approver", "auditor", "admin"],
  "hosts:write": ["admin"],
  "sessions:read": ["contractor", "rival", "sponsor", "otherSponsor", "approver", "auditor", "admin"],
  "recordings:read": ["contractor", "rival", "sponsor", "otherSponsor", "auditor", "admin"],
  "recordings:hold": ["admin"],
  "revocations:read": ["auditor", "admin"],
  "revocations:write": ["admin"],
  "audit:read": ["auditor", "admin"],
  "tokens:write": ["sponsor", "otherSponsor", "approver", "auditor", "admin"],
  "metrics:read": ["auditor", "admin"],
};

/** Those who have the vendor's engagement, its sessions and its requests in sight. */
const INVOLVED: readonly TableRole[] = ["contractor", "sponsor", "approver", "auditor", "admin", "token"];
const NAME = { name: { literal: "web-work" } };
const NOTHING = { literal: "nothing" };
const AWAY = { literal: "later-work" };

/**
 * Every route. A new one needs a row here: how to call it so that those who may get its documented answer, and who sees what it
 * is about. Rows are called in this order, for each role in the order of {@link ROLES}.
 */
export const ROWS: Record<string, Row> = {
  "GET /api/v1/client-configuration": {},
  "GET /api/v1/trust": {},
  "GET /api/v1/openapi.json": {},
  "GET /healthz": {},
  "GET /readyz": {},
  "GET /metrics": {},
  "GET /api/v1/issuers": {},
  "POST /api/v1/challenges": { body: {} },
  // What comes after the shape is the matter of other tests.
  "POST /api/v1/certificates": { body: {}, status: 400 },
  "POST /api/v1/certificates/renew": { body: {}, status: 400 },
  "POST /api/v1/hosts": { body: {}, status: 400 },
  "POST /api/v1/approvals/slack": { body: {}, status: 404 },
  "GET /api/v1/me": {},
  "GET /api/v1/me/refusal": {},
  // A revoked contractor gets no page.
  "POST /api/v1/web-sessions": { body: {} },
  "GET /api/v1/sessions": {},
  "GET /api/v1/sessions/{id}": { path: { id: "session" }, seenBy: INVOLVED },
  "GET /api/v1/sessions/{id}/recording": { path: { id: "session" }, seenBy: INVOLVED },
  "GET /api/v1/sessions/{id}/inclusion": { path: { id: "session" }, seenBy: INVOLVED },
  "GET /api/v1/sessions/{id}/events": { path: { id: "session" }, seenBy: INVOLVED },
  "GET /api/v1/sessions/{id}/export": { path: { id: "session" }, query: "format=text", seenBy: INVOLVED },
  "GET /api/v1/recordings/holds": {},
  "POST /api/v1/recordings/holds": { body: { level: "vendor", target: "vendor", reason: "a case" } },
  "DELETE /api/v1/recordings/holds/{id}": { path: { id: NOTHING }, status: 404 },
  "GET /api/v1/engagements": {},
  "GET /api/v1/engagements/{name}": { path: NAME, seenBy: INVOLVED },
  // Versions name all members: not for contractors.
  "GET /api/v1/engagements/{name}/versions": { path: NAME, seenBy: INVOLVED, but: { contractor: 404 } },
  "POST /api/v1/engagements": { body: {}, status: 400 },
  "PATCH /api/v1/engagements/{name}": {
    path: { name: NOTHING },
    body: { version: 1, change: {} },
    status: 404,
  },
  "POST /api/v1/engagements/{name}/extend": {
    path: { name: AWAY },
    body: { until: "2095-01-01", reason: "more to do" },
  },
  "GET /api/v1/members": {},
  "POST /api/v1/members": { body: { name: "Nick New", email: "nick@vendor.test", vendor: "vendor" } },
  "DELETE /api/v1/members/{id}/invitation": { path: { id: NOTHING }, status: 404 },
  "POST /api/v1/policy": { body: { text: "version: 1\n", dryRun: true } },
  // An admin who is no member has nobody to ask for.
  "POST /api/v1/approvals": {
    body: { engagement: "asked-work", reason: "please" },
    seenBy: ["contractor", "admin"],
  },
  "GET /api/v1/approvals": {},
  "GET /api/v1/approvals/{id}": { path: { id: "request" }, seenBy: INVOLVED },
  // The first answer is enough; after it there is nothing to answer.
  "POST /api/v1/approvals/{id}/answer": {
    path: { id: "request" },
    body: { decision: "deny" },
    seenBy: INVOLVED,
    but: { approver: 409, admin: 409 },
  },
  "POST /api/v1/approvals/{id}/withdraw": {
    path: { id: "ownRequest" },
    body: {},
    seenBy: INVOLVED,
    status: 409,
    // A request of their own that is pending.
    but: { contractor: 200 },
  },
  "GET /api/v1/hosts": {},
  "POST /api/v1/join-tokens": { body: { name: "web-9", address: "127.0.0.1" } },
  "GET /api/v1/revocations": {},
  "GET /api/v1/revocations/{id}": { path: { id: NOTHING }, status: 404 },
  "POST /api/v1/revocations": { body: { level: "session", target: "nothing" }, status: 404 },
  "POST /api/v1/revocations/lift": { body: { level: "member", target: "nothing" }, status: 404 },
  "GET /api/v1/audit/key": {},
  "GET /api/v1/audit/checkpoint": {},
  "GET /api/v1/audit/entries": { query: "from=0&to=2" },
  "GET /api/v1/audit/frontier": { query: "size=2" },
  "GET /api/v1/audit/consistency": { query: "from=1&to=2" },
  "GET /api/v1/audit/inclusion": { query: "index=0" },
  // Approvers have no permission that a token could pass on but reading engagements, as all here have.
  "POST /api/v1/tokens": {
    body: { name: "ci", scopes: ["engagements:read"], expiresAt: Math.floor(Date.now() / 1000) + 86_400 },
  },
  "GET /api/v1/tokens": {},
  "DELETE /api/v1/tokens/{id}": { path: { id: NOTHING }, status: 404 },
  // Once: the sponsor's is the first.
  "POST /api/v1/engagements/{name}/end": { path: NAME, body: {}, seenBy: INVOLVED, but: { admin: 409 } },
  "DELETE /api/v1/token": {},
};
