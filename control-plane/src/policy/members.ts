import { SallyportError } from "@sallyport/core/errors.ts";
import type { Member } from "@sallyport/core/policy/engagement.ts";
import type { PolicyMember } from "@sallyport/core/policy/policy-file.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { audit } from "../audit/audit.ts";
import { lockPolicy } from "../database/applied-policies.ts";
import { listEngagements } from "../database/engagements.ts";
import { withdrawInvitation } from "../database/invitations.ts";
import { listMembers, memberByEmail, memberById, saveMember } from "../database/members.ts";
import { inTransaction } from "../database/open-database.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, newId, seconds } from "../environment.ts";
import { refuseOwnAccount } from "./account-clashes.ts";
import { defaultAccountName } from "./account-name.ts";
import { sendInvitation } from "./invite-member.ts";
import type { Author } from "./store-engagement.ts";

interface Needs {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
}

/**
 * Invites somebody for `lifetime` seconds; again, where their invitation was not used: the time begins anew. Code `conflict`
 * for who has signed in already, is of another vendor, or would get an account that is somebody's.
 */
export async function inviteMember(
  { db, environment }: Needs,
  wanted: PolicyMember,
  author: Author & { lifetime: number },
): Promise<Member> {
  return inTransaction(db, async (transaction) => {
    await lockPolicy(transaction, seconds(environment.clock));
    const { name, email, vendor } = wanted;
    const present = await memberByEmail(transaction, email);
    if (present !== undefined && present.vendor !== vendor)
      throw conflict(
        `${email} is invited for the vendor ${present.vendor}; withdraw that, and use another address.`,
      );
    const base = present ?? { id: newId(environment, "mem"), identities: [], account: null };
    const account = await chooseAccount(transaction, base, wanted);
    const member: Member = { ...base, name, email, vendor, account };
    await saveMember(transaction, {
      ...{ id: member.id, name, email, vendor, account },
      created_at: seconds(environment.clock),
    });
    if (!(await sendInvitation(transaction, environment, member, author)))
      throw conflict(`${email} has signed in already and needs no invitation.`);
    return member;
  });
}

/** Takes back an invitation that nobody has used. Codes `not-found`, `conflict`. */
export async function withdrawMember(
  { db, environment }: Needs,
  nameOrId: string,
  author: Author,
): Promise<Member> {
  return inTransaction(db, async (transaction) => {
    await lockPolicy(transaction, seconds(environment.clock));
    const member = (await memberById(transaction, nameOrId)) ?? (await memberByEmail(transaction, nameOrId));
    if (member === undefined) {
      const shown = printable(nameOrId, 100);
      const next = "Give the e-mail or id of one; to list them: sallyport member list";
      throw new SallyportError("not-found", `There is no member ${shown}. ${next}`);
    }
    const called = member.email ?? member.name;
    if (!(await withdrawInvitation(transaction, member.id, seconds(environment.clock)))) {
      throw conflict(
        `${called} has no invitation to withdraw: it was used, or withdrawn before. Whoever has signed in loses access with: ` +
          `sallyport revoke --member ${called}`,
      );
    }
    await audit(transaction, environment, {
      type: "invitation-withdrawn",
      actor: author.by,
      data: { id: member.id, email: member.email, reason: author.why },
    });
    return member;
  });
}

async function chooseAccount(
  db: Database,
  present: Pick<Member, "id" | "account">,
  wanted: PolicyMember,
): Promise<Member["account"]> {
  const members = await listMembers(db);
  const shared = new Set<string>((await listEngagements(db)).flatMap(({ accounts }) => accounts));
  if (wanted.account !== undefined) {
    const problem = refuseOwnAccount(present, wanted.account, members, shared);
    if (problem !== undefined) throw conflict(`${problem}.`);
    return wanted.account;
  }
  if (present.account !== null) return present.account;
  const taken = new Set([...shared, ...members.map(({ account }) => account ?? "")]);
  return defaultAccountName(wanted, (name) => taken.has(name));
}

function conflict(message: string): SallyportError {
  return new SallyportError("conflict", message);
}
