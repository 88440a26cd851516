import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import { isoSeconds } from "@sallyport/core/policy/written-engagement.ts";
import { engagementsEndingBy } from "../database/engagements.ts";
import { listMembers } from "../database/members.ts";
import { hasNotice } from "../database/notices.ts";
import { inTransaction } from "../database/open-database.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";
import { queueNotice } from "./queue-notice.ts";

const DAY = 86_400;

/**
 * Queues the notices that are due before engagements end, to sponsor and members: for each of `before` (days) one, of
 * several that are due only the last. An engagement with another end has notices of its own.
 */
export async function queueEndNotices(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  before: readonly number[],
): Promise<void> {
  const now = seconds(environment.clock);
  const longest = Math.max(0, ...before);
  for (const engagement of await engagementsEndingBy(db, now, now + longest * DAY)) {
    const days = dueThreshold(engagement, before, now);
    if (days === undefined) continue;
    await inTransaction(db, (transaction) => queueEndNotice(transaction, environment, engagement, days));
  }
}

/** Which of the thresholds, in days, is due: the last that has passed, of those shorter than the engagement. */
export function dueThreshold(
  { start, end }: Pick<Engagement, "start" | "end">,
  before: readonly number[],
  now: number,
): number | undefined {
  const due = before.filter((days) => end - now <= days * DAY && end - start > days * DAY);
  return due.length === 0 ? undefined : Math.min(...due);
}

async function queueEndNotice(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  engagement: Engagement,
  days: number,
): Promise<void> {
  const { id, name, vendor, end, sponsor, contact } = engagement;
  const key = `${id}/${end}/${days}`;
  if (await hasNotice(db, `engagement-ends/${key}/webhook/`)) return;
  const members = await listMembers(db, engagement.members);
  const at = isoSeconds(end);
  await queueNotice(db, environment, {
    ...{ kind: "engagement-ends", key, about: id, goodUntil: end },
    to: [sponsor, ...members.map(({ email }) => email)].filter((email) => email !== null),
    subject: `Engagement ${name} ends on ${at.slice(0, 10)}`,
    text: [
      `The engagement ${name} of ${vendor} ends on ${at} (UTC).`,
      "From then on nobody gets in by it; sessions that are open then are ended, and accounts that were made for it go.",
      "",
      `If the work takes longer, ask ${contact}. The security team extends it with:`,
      "",
      `  sallyport engagement extend ${name} --until DATE --reason TEXT`,
      "",
      "{server}",
      "",
    ].join("\n"),
    data: { engagement: { id, name, vendor, end: at, sponsor }, days },
  });
}
