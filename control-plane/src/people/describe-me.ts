import type { Me, ReachableHost, Role, StaffRole } from "@sallyport/core/messages/client-api.ts";
import { accountsOf } from "@sallyport/core/policy/checks.ts";
import type { Engagement, Member } from "@sallyport/core/policy/engagement.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { listEngagements } from "../database/engagements.ts";
import { type Host, listHosts } from "../database/hosts.ts";
import type { Database } from "../database/tables.ts";
import { isRecent } from "../policy/bundle-content.ts";
import { engagementState, selects } from "../policy/host-selection.ts";

/** A person, as sign-in or an API token tells. */
export interface KnownPerson {
  issuer: string;
  subject: string;
  name: string;
  mfa: string;
  member: Member | undefined;
  staffRoles: readonly StaffRole[];
}

/**
 * What the signed-in person is, has, and may reach now or later. `now` in seconds; `known` are the member's engagements, where
 * they have been read already.
 */
export async function describeMe(
  db: Database,
  now: number,
  person: KnownPerson,
  known?: readonly Engagement[],
): Promise<Me> {
  const { member } = person;
  const engagements = known ?? (member === undefined ? [] : await listEngagements(db, member.id));
  const hosts = engagements.length === 0 ? [] : await listHosts(db);
  return {
    issuer: person.issuer,
    subject: person.subject,
    name: printable(person.member?.name ?? person.name, 200),
    roles: rolesOf(person),
    memberId: person.member?.id ?? null,
    mfa: person.mfa,
    hosts: reachableHosts(person.member, engagements, hosts, now),
    engagements: engagements.map((engagement) => ({
      id: engagement.id,
      name: engagement.name,
      state: engagementState(engagement, now),
      start: engagement.start,
      end: engagement.ended?.at ?? engagement.end,
      hosts: hosts.filter((host) => selects(engagement.hosts, host)).map((host) => host.name),
      accounts: accountsFor(person.member, engagement),
      contact: engagement.contact,
    })),
  };
}

/** Roles of a person. */
export function rolesOf(person: Pick<KnownPerson, "member" | "staffRoles">): Role[] {
  return [...(person.member === undefined ? [] : ["contractor" as const]), ...person.staffRoles];
}

/**
 * Hosts of engagements that are not long over, with the accounts that these grant, those of engagements that run
 * first, and of these the member's own: the host says why it refuses.
 */
export function reachableHosts(
  member: Member | undefined,
  engagements: readonly Engagement[],
  hosts: readonly Host[],
  now: number,
): ReachableHost[] {
  const current = engagements
    .filter((engagement) => isRecent(engagement, now))
    .toSorted((a, b) => Number(runs(b, now)) - Number(runs(a, now)));
  return hosts.flatMap((host) => {
    const granting = current.filter((engagement) => selects(engagement.hosts, host));
    if (granting.length === 0) return [];
    const running = granting.filter((engagement) => runs(engagement, now));
    const own = running.some(({ personal }) => personal !== null) ? (member?.account ?? null) : null;
    // ssh logs in to the first account: the member's own, then what an engagement that runs grants.
    const accounts = granting.flatMap((engagement) => accountsFor(member, engagement));
    const distinct = [...new Set(own === null ? accounts : [own, ...accounts])];
    return [{ name: host.name, address: host.address, port: host.port, accounts: distinct }];
  });
}

function runs(engagement: Engagement, now: number): boolean {
  return engagementState(engagement, now) === "running";
}

function accountsFor(member: Member | undefined, engagement: Engagement): string[] {
  return member === undefined ? [] : accountsOf(engagement, member.id, { members: [member] });
}
