import { Engagement, type Member } from "@sallyport/core/policy/engagement.ts";
import type { PolicyEngagement } from "@sallyport/core/policy/policy-engagement.ts";

/** The ids of an engagement's members; or which of them cannot be one, and why. `how` says how to add somebody. */
export function resolveMembers(
  { members: emails, vendor }: PolicyEngagement,
  members: ReadonlyMap<string, Member>,
  how: string,
): { ids: string[] } | { position: number; problem: string } {
  const ids = new Set<string>();
  for (const [position, email] of emails.entries()) {
    const member = members.get(email);
    if (member === undefined) return { position, problem: `${email} is no member; ${how}` };
    if (member.vendor !== vendor) {
      const problem = `${email} is of vendor ${member.vendor}, the engagement of ${vendor}`;
      return { position, problem };
    }
    ids.add(member.id);
  }
  return { ids: [...ids].toSorted() };
}

/** What somebody has written, as hosts know it. What was approved of `present` stays; see `widens.ts` for what is lost. */
export function toEngagement(
  wanted: PolicyEngagement,
  members: string[],
  present: Engagement | undefined,
  makeId: () => string,
): Engagement {
  return Engagement.parse({
    ...wanted,
    id: present?.id ?? makeId(),
    members,
    ended: present?.ended ?? null,
    approval: {
      ...wanted.approval,
      approved: present?.approval.approved ?? false,
      granted: present?.approval.granted ?? [],
    },
  });
}
