import { memberByEmail, memberByIdentity } from "../database/members.ts";
import { staffEmailByIdentity } from "../database/staff.ts";
import type { Database } from "../database/tables.ts";

/** Somebody as one of their sign-ins shows them. */
export interface Identity {
  issuer: string;
  subject: string;
  /** Lower case; null where none is known. */
  email: string | null;
}

/** By what somebody is known here: identities and e-mails, of every role they have. */
export type Traits = ReadonlySet<string>;

/** More steps than any chain of a person's own e-mails and identities takes. */
const MAX_TRAITS = 100;

const ofIdentity = (issuer: string, subject: string): string => JSON.stringify([issuer, subject]);
const ofEmail = (email: string): string => email.toLowerCase();

/**
 * All that belongs to somebody: from one identity to the member and the staff entry that it is pinned to, from these to their
 * e-mails and other identities, and on. Who comes back by a second sign-in or in a second role is the same person.
 */
export async function traitsOf(db: Database, ...from: readonly Identity[]): Promise<Traits> {
  const traits = new Set<string>();
  const open = [...from];
  for (let one = open.pop(); one !== undefined && traits.size < MAX_TRAITS; one = open.pop()) {
    const own = ofIdentity(one.issuer, one.subject);
    const emails = [one.email];
    if (!traits.has(own)) {
      traits.add(own);
      emails.push((await staffEmailByIdentity(db, one.issuer, one.subject)) ?? null);
      const member = await memberByIdentity(db, one.issuer, one.subject);
      emails.push(member?.email ?? null);
      open.push(...(member?.identities ?? []).map((identity) => ({ ...identity, email: null })));
    }
    for (const email of emails) {
      if (email === null || traits.has(ofEmail(email))) continue;
      traits.add(ofEmail(email));
      const member = await memberByEmail(db, email);
      open.push(...(member?.identities ?? []).map((identity) => ({ ...identity, email: null })));
      open.push(...(await identitiesOfStaff(db, ofEmail(email))));
    }
  }
  return traits;
}

/** The same, of a member: also of one who has never signed in. */
export async function traitsOfMember(
  db: Database,
  member: { email: string | null; identities: readonly { issuer: string; subject: string }[] },
): Promise<Traits> {
  const found = await traitsOf(
    db,
    ...member.identities.map((identity) => ({ ...identity, email: member.email })),
  );
  if (member.email === null || member.identities.length > 0) return found;
  const staff = await identitiesOfStaff(db, ofEmail(member.email));
  return new Set([ofEmail(member.email), ...(await traitsOf(db, ...staff))]);
}

/** Whether two sets of traits are of one person. */
export function isSamePerson(one: Traits, other: Traits): boolean {
  return [...one].some((trait) => other.has(trait));
}

async function identitiesOfStaff(db: Database, email: string): Promise<Identity[]> {
  const rows = await db.selectFrom("staff_identities").selectAll().where("email", "=", email).execute();
  return rows.map(({ issuer, subject }) => ({ issuer, subject, email }));
}
