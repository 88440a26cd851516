import type { Engagement } from "./engagement.ts";
import type { PolicyEngagement } from "./policy-engagement.ts";

/**
 * An engagement in the words that people write it in, with every default filled in: what versions keep, what is compared,
 * what an editor opens. Times are ISO 8601 in UTC, members are e-mails in alphabetical order.
 */
export type WrittenEngagement = Omit<PolicyEngagement, "start" | "end"> & { start: string; end: string };

/** What somebody has written, in that form. */
export function asWritten(engagement: PolicyEngagement): WrittenEngagement {
  return {
    ...engagement,
    members: [...new Set(engagement.members)].toSorted(),
    start: isoSeconds(engagement.start),
    end: isoSeconds(engagement.end),
  };
}

/** What is in force, in that form: without ids and without what was approved. `emailOf` names a member by id. */
export function writtenFrom(engagement: Engagement, emailOf: (id: string) => string): WrittenEngagement {
  const { id: _id, ended: _ended, members, approval, start, end, ...rest } = engagement;
  const { approved: _approved, granted: _granted, ...rule } = approval;
  return {
    ...rest,
    members: members.map(emailOf).toSorted(),
    approval: rule,
    start: isoSeconds(start),
    end: isoSeconds(end),
  };
}

/** Seconds since the epoch as people write them: `2026-11-01T09:00:00Z`. */
export function isoSeconds(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
}
