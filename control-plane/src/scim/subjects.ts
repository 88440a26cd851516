import { isKnownIdentity, subjectsWithEmail } from "../database/known-identities.ts";
import { type ScimUserRow, scimUsersNaming } from "../database/scim-users.ts";
import type { Database } from "../database/tables.ts";
import { isObject } from "./resource.ts";
import type { ScimIssuer } from "./scim-issuer.ts";

/** Whom a SCIM user means, by the subjects of their ID tokens from the same IdP. */
export interface Subjects {
  /** Who has signed in here. */
  known: string[];
  /** What the IdP will call them if nobody is known; null where it has not said. */
  expected: string | null;
}

const MOST_EMAILS = 20;

/**
 * Whom a user means: by the attribute that holds the subject, else by the other one, else by an e-mail of somebody who signed
 * in from this very IdP and whom no other user of it names.
 */
export async function subjectsOf(db: Database, idp: ScimIssuer, user: ScimUserRow): Promise<Subjects> {
  const named = [user.external_id, user.user_name];
  const [first = null, second = null] = idp.subjectAttribute === "externalId" ? named : named.toReversed();
  for (const subject of [first, second])
    if (subject !== null && (await isKnownIdentity(db, idp.issuer, subject)))
      return { known: [subject], expected: first };
  const known: string[] = [];
  for (const subject of await subjectsWithEmail(db, idp.issuer, emailsOf(user))) {
    const others = await scimUsersNaming(db, idp.issuer, subject);
    if (others.every(({ id }) => id === user.id)) known.push(subject);
  }
  return { known, expected: first };
}

/** E-mails of a user, in lower case; a name that is one counts too. */
function emailsOf({ user_name_key, resource_json, email }: ScimUserRow): string[] {
  const { emails = [] } = JSON.parse(resource_json) as { emails?: unknown[] };
  const values = emails.flatMap((one) =>
    isObject(one) && typeof one.value === "string" ? [one.value.toLowerCase()] : [],
  );
  return [...new Set([...(email === null ? [] : [email]), user_name_key, ...values])]
    .filter((one) => one.includes("@"))
    .slice(0, MOST_EMAILS);
}
