import type { DemoUser } from "./identity-provider.ts";

/** Somebody of the demo: what the IdP knows, and what they are there to show. */
export type DemoPerson = DemoUser & {
  role: "contractor" | "admin" | "auditor";
  /** The contractors' organisation. */
  vendor?: string;
  note: string;
};

/** An engagement of the demo; times are ISO 8601. */
export type DemoEngagement = {
  name: string;
  state: "running" | "ended" | "not-started";
  vendor: string;
  /** User names. */
  members: string[];
  hosts: string[];
  accounts: string[];
  start: string;
  end: string;
};

export const HOST_NAME = "web-1";
export const CONTRACTOR_ACCOUNT = "deploy";
export const CONTACT = "dana@company.test";
export const CLIENT_ID = "sallyport-cli";

/** The people of the demo. The first is a contractor who gets in. */
export const PEOPLE: readonly DemoPerson[] = [
  person("alice", "contractor", "acme", true, "u-7f3a1c90", "Signs in with MFA; works on web-1 as deploy."),
  person(
    "bob",
    "contractor",
    "acme",
    false,
    "u-b1946ac9",
    "Signs in without MFA: web-1 refuses, and says why.",
  ),
  person("carol", "contractor", "globex", true, "u-2d97e5f3", "Her engagement has ended."),
  person("dave", "contractor", "initech", true, "u-e38c0b42", "His engagement has not started."),
  person("sam", "admin", undefined, true, "u-51d0aa76", "Security engineer: sees, replays and revokes."),
  person("audrey", "auditor", undefined, true, "u-90c4f21d", "Auditor: sees and replays."),
];

/** The demo's engagements, around the present moment. */
export function engagements(now: Date): DemoEngagement[] {
  const inDays = (days: number) => new Date(now.getTime() + days * 86_400_000).toISOString();
  const on = { hosts: [HOST_NAME], accounts: [CONTRACTOR_ACCOUNT] };
  return [
    {
      ...{ name: "web-maintenance", state: "running", vendor: "acme", members: ["alice", "bob"] },
      ...{ ...on, start: inDays(-1), end: inDays(14) },
    },
    {
      ...{ name: "old-migration", state: "ended", vendor: "globex", members: ["carol"] },
      ...{ ...on, start: inDays(-60), end: inDays(-7) },
    },
    {
      ...{ name: "next-audit", state: "not-started", vendor: "initech", members: ["dave"] },
      ...{ ...on, start: inDays(7), end: inDays(21) },
    },
  ];
}

function person(
  name: string,
  role: DemoPerson["role"],
  vendor: string | undefined,
  mfa: boolean,
  sub: string,
  note: string,
): DemoPerson {
  const email = `${name}@${vendor ?? "company"}.test`;
  return { name, role, mfa, sub, note, email, password: `${name}-demo`, ...(vendor && { vendor }) };
}
