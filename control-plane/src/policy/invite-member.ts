import type { Member } from "@sallyport/core/policy/engagement.ts";
import { type AuditInput, audit } from "../audit/audit.ts";
import { invite } from "../database/invitations.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";
import { invitationNotice } from "../notices/invitation-notice.ts";
import { queueNotice } from "../notices/queue-notice.ts";
import type { Author } from "./store-engagement.ts";

/** Lets a member that is stored use an invitation for `lifetime` seconds, and queues the e-mail that says so. `events` takes the
 * audit event instead of the audit log. False when the invitation was used. */
export async function sendInvitation(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  member: Member,
  { by, why, lifetime }: Author & { lifetime: number },
  events?: AuditInput[],
): Promise<boolean> {
  const invitedAt = seconds(environment.clock);
  const expiresAt = invitedAt + lifetime;
  const row = { member_id: member.id, invited_at: invitedAt, invited_by: by, expires_at: expiresAt };
  if (!(await invite(db, row))) return false;
  const { id, email, vendor } = member;
  const event: AuditInput = {
    type: "member-invited",
    actor: by,
    data: { id, email, vendor, reason: why, expires: expiresAt },
  };
  if (events !== undefined) events.push(event);
  else await audit(db, environment, event);
  await queueNotice(db, environment, invitationNotice(member, { invitedAt, expiresAt, by }));
  return true;
}
