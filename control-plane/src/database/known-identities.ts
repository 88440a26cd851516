import type { Database } from "./tables.ts";

/** True when somebody with this identity has signed in here, as a member, as staff, or for a certificate. */
export async function isKnownIdentity(db: Database, issuer: string, subject: string): Promise<boolean> {
  for (const table of ["identities", "staff_identities", "certificates", "api_tokens"] as const) {
    const row = await db
      .selectFrom(table)
      .select("subject")
      .where("issuer", "=", issuer)
      .where("subject", "=", subject)
      .limit(1)
      .executeTakeFirst();
    if (row !== undefined) return true;
  }
  return false;
}

/** Subjects at this issuer of members and staff who have one of these e-mails (lower case) and have signed in from it. */
export async function subjectsWithEmail(
  db: Database,
  issuer: string,
  emails: readonly string[],
): Promise<string[]> {
  if (emails.length === 0) return [];
  const members = await db
    .selectFrom("identities")
    .innerJoin("members", "members.id", "identities.member_id")
    .select("subject")
    .where("issuer", "=", issuer)
    .where("members.email", "in", emails)
    .execute();
  const staff = await db
    .selectFrom("staff_identities")
    .select("subject")
    .where("issuer", "=", issuer)
    .where("email", "in", emails)
    .execute();
  return [...new Set([...members, ...staff].map(({ subject }) => subject))];
}
