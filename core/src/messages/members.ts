import { z } from "zod";
import { DisplayText, EpochSeconds, ShortName } from "../names.ts";
import { PolicyMember } from "../policy/policy-file.ts";

/** `POST /members`: invites somebody, or somebody again whose invitation was not used; why is kept in the audit log. */
export const InviteRequest = PolicyMember.extend({ reason: DisplayText.default("") });
export type InviteRequest = z.input<typeof InviteRequest>;

/** Query of `DELETE /members/{id}/invitation`: why, for the audit log. */
export const InvitationWithdrawal = z.object({ reason: DisplayText.default("") });

/** Whether an invitation waits, has run out, was taken back, or was used: then the person is a member for good. */
export const MemberState = z.enum(["invited", "expired", "withdrawn", "active"]);

/** A member in `GET /members`. Times are seconds since the epoch. */
export const MemberView = z.object({
  id: z.string(),
  name: DisplayText,
  email: DisplayText.nullable(),
  vendor: ShortName,
  account: z.string().nullable(),
  state: MemberState,
  invitedBy: DisplayText.nullable(),
  invitedAt: EpochSeconds.nullable(),
  /** Until when the invitation is good; null for one that was used. */
  expiresAt: EpochSeconds.nullable(),
  /** Names of the engagements that this member is in. */
  engagements: z.array(z.string()),
});
export type MemberView = z.infer<typeof MemberView>;
