import type { Database, InvitationsTable } from "./tables.ts";

/** What became of an invitation: it waits, it ran out, it was taken back, or somebody has used it. */
export type InvitationState = "invited" | "expired" | "withdrawn" | "active";

/** All invitations, by member. */
export async function listInvitations(db: Database): Promise<Map<string, InvitationsTable>> {
  const rows = await db.selectFrom("invitations").selectAll().execute();
  return new Map(rows.map((row) => [row.member_id, row]));
}

/** The invitation of a member. */
export async function invitationOf(db: Database, memberId: string): Promise<InvitationsTable | undefined> {
  return db.selectFrom("invitations").selectAll().where("member_id", "=", memberId).executeTakeFirst();
}

/** Invites a member, or again one whose invitation was not used; false when it was used. */
export async function invite(
  db: Database,
  invitation: Pick<InvitationsTable, "member_id" | "invited_at" | "invited_by" | "expires_at">,
): Promise<boolean> {
  const { invited_at, invited_by, expires_at } = invitation;
  const result = await db
    .insertInto("invitations")
    .values({ ...invitation, accepted_at: null, withdrawn_at: null })
    .onConflict((conflict) =>
      conflict
        .column("member_id")
        .doUpdateSet({ invited_at, invited_by, expires_at, withdrawn_at: null })
        .where("invitations.accepted_at", "is", null),
    )
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** Uses an invitation that is good now; false when it is not. Used ones are good again until they expire. */
export async function acceptInvitation(db: Database, memberId: string, now: number): Promise<boolean> {
  const result = await db
    .updateTable("invitations")
    .set({ accepted_at: now })
    .where("member_id", "=", memberId)
    .where("withdrawn_at", "is", null)
    .where("expires_at", ">", now)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Takes an invitation back; false when it was used, or taken back before. */
export async function withdrawInvitation(db: Database, memberId: string, now: number): Promise<boolean> {
  const result = await db
    .updateTable("invitations")
    .set({ withdrawn_at: now })
    .where("member_id", "=", memberId)
    .where("accepted_at", "is", null)
    .where("withdrawn_at", "is", null)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Where an invitation stands; `now` in seconds. */
export function invitationState(invitation: InvitationsTable | undefined, now: number): InvitationState {
  if (invitation === undefined) return "expired";
  if (invitation.accepted_at !== null) return "active";
  if (invitation.withdrawn_at !== null) return "withdrawn";
  return invitation.expires_at > now ? "invited" : "expired";
}
