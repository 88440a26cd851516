import type { VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { StaffRole } from "@sallyport/core/messages/client-api.ts";
import type { Member } from "@sallyport/core/policy/engagement.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { audit } from "../audit/audit.ts";
import {
  acceptInvitation,
  type InvitationState,
  invitationOf,
  invitationState,
} from "../database/invitations.ts";
import { memberByEmail, memberById, memberByIdentity, pinIdentity } from "../database/members.ts";
import { inTransaction } from "../database/open-database.ts";
import { pinStaffIdentity, staffEmailByIdentity } from "../database/staff.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";
import type { StaffRules } from "../people/staff-roles.ts";
import { staffRoles } from "../people/staff-roles.ts";
import { namedGroups } from "./named-groups.ts";

interface Needs {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
  staff: StaffRules["staff"];
  staffGroups?: StaffRules["staffGroups"];
  /** The issuer that staff come from where their entry does not say. */
  staffIssuer: string;
  /** Which IdP may name whose members; in the configuration's order. */
  issuers: readonly { issuer: string; vendors: readonly string[] | null }[];
}

/** Staff by their entry or their groups. No e-mail when their IdP vouches for none, or another account has it. */
interface Staff {
  email: string | undefined;
  roles: StaffRole[];
}

/** Who signed in: a member, staff, or both. `pinned` when an invitation was used just now. */
export interface Person {
  member: Member | undefined;
  staff: Staff | undefined;
  pinned: boolean;
}

/**
 * Who this identity is. (issuer, subject) decides; an e-mail counts once, at the first sign-in, and only when the IdP
 * says that it is verified: it then pins the identity to the invitation, for good. Code `not-invited`.
 */
export async function recognise(needs: Needs, token: VerifiedIdToken): Promise<Person> {
  return inTransaction(needs.db, async (db) => {
    const member = await recogniseMember(db, needs, token);
    const staff = await recogniseStaff(db, needs, token);
    if (member.found === undefined && staff.found === undefined)
      throw member.over === undefined
        ? notInvited(token, member.taken || staff.taken)
        : invitationOver(token, member.over);
    return { member: member.found, staff: staff.found, pinned: member.pinned };
  });
}

async function recogniseMember(db: Database, needs: Needs, token: VerifiedIdToken) {
  const known = await memberByIdentity(db, token.issuer, token.subject);
  if (known !== undefined) return { found: known, pinned: false, taken: false };
  const invited = invitation(token) && (await memberByEmail(db, invitation(token)));
  // Of an IdP that is not this vendor's the e-mail says nothing: whoever runs it can write anybody's there.
  if (!invited || !mayName(needs, token.issuer, invited.vendor))
    return { found: undefined, pinned: false, taken: false };
  const identity = { issuer: token.issuer, subject: token.subject };
  const pinned_at = seconds(needs.environment.clock);
  if (!(await acceptInvitation(db, invited.id, pinned_at))) {
    if (invited.identities.length > 0) return { found: undefined, pinned: false, taken: true };
    const state = invitationState(await invitationOf(db, invited.id), pinned_at);
    return { found: undefined, pinned: false, taken: false, over: state };
  }
  if (!(await pinIdentity(db, { ...identity, member_id: invited.id, pinned_at }))) {
    return { found: undefined, pinned: false, taken: true };
  }
  await audit(db, needs.environment, {
    type: "identity-pinned",
    actor: invited.id,
    data: { ...identity, email: invited.email },
  });
  return { found: await memberById(db, invited.id), pinned: true, taken: false };
}

async function recogniseStaff(db: Database, needs: Needs, token: VerifiedIdToken) {
  const { staff, staffGroups = [], staffIssuer } = needs;
  const { issuer, subject } = token;
  const groups = namedGroups(staffGroups, token);
  // Only the IdP named for an entry: a vendor's own IdP may state any e-mail and any group it likes.
  const rolesWith = (email: string | undefined) =>
    staffRoles({ staff, staffGroups, issuers: [{ issuer: staffIssuer }] }, { issuer, email, groups });
  const known = await staffEmailByIdentity(db, issuer, subject);
  if (known !== undefined) return { found: staffWith(known, rolesWith(known)), taken: false };
  const email = invitation(token) || undefined;
  const roles = rolesWith(email);
  if (roles.length === 0 || email === undefined) return { found: staffWith(email, roles), taken: false };
  const pinned_at = seconds(needs.environment.clock);
  if (!(await pinStaffIdentity(db, { issuer, subject, email, pinned_at })))
    return { found: staffWith(undefined, rolesWith(undefined)), taken: true };
  await audit(db, needs.environment, {
    type: "identity-pinned",
    actor: email,
    data: { issuer, subject, roles },
  });
  return { found: staffWith(email, roles), taken: false };
}

function staffWith(email: string | undefined, roles: StaffRole[]): Staff | undefined {
  return roles.length === 0 ? undefined : { email, roles };
}

function mayName({ issuers }: Needs, issuer: string, vendor: string): boolean {
  const index = issuers.findIndex((one) => one.issuer === issuer);
  return issuers[index]?.vendors?.includes(vendor) ?? index === 0;
}

/** The e-mail that may use an invitation, or "" when the IdP does not vouch for it. */
function invitation(token: VerifiedIdToken): string {
  return token.emailVerified && token.email !== null ? token.email.toLowerCase() : "";
}

function invitationOver(token: VerifiedIdToken, state: InvitationState): SallyportError {
  const what = state === "withdrawn" ? "was withdrawn" : "has expired";
  return new SallyportError(
    "not-invited",
    `The invitation for ${printable(token.email ?? "", 200)} ${what}. Ask the people who gave you this work to invite you ` +
      "again, then sign in again.",
  );
}

function notInvited(token: VerifiedIdToken, taken: boolean): SallyportError {
  const email = token.email === null ? "this account" : printable(token.email, 200);
  const reason = taken
    ? `The invitation for ${email} was already used by another account of your IdP`
    : token.email !== null && !token.emailVerified
      ? `Your IdP does not confirm that ${email} is verified, so no invitation can be matched`
      : `${token.email === null ? "Your IdP sent no e-mail address for this account, and it" : email} is not invited here`;
  return new SallyportError(
    "not-invited",
    `${reason}. Ask the people who gave you this work to add you, then sign in again.`,
  );
}
