import { subjectsOfSession } from "../database/sign-in-sessions.ts";
import type { Database } from "../database/tables.ts";
import type { Principal } from "./subject-identifier.ts";

/**
 * The subjects of this issuer that are known here and that any of these may mean: pinned to a member or to staff, or of a
 * certificate. An e-mail leads only to identities of this very issuer; one that somebody has at another IdP is not touched.
 */
export async function findSubjects(
  db: Database,
  issuer: string,
  principals: readonly Principal[],
): Promise<string[]> {
  const found = new Set<string>();
  for (const principal of principals) {
    for (const subject of await subjectsOf(db, issuer, principal)) found.add(subject);
  }
  return [...found];
}

async function subjectsOf(db: Database, issuer: string, principal: Principal): Promise<string[]> {
  switch (principal.kind) {
    case "subject":
      return (await isKnown(db, issuer, principal.subject)) ? [principal.subject] : [];
    case "email":
      return subjectsByEmail(db, issuer, principal.email.toLowerCase());
    case "session":
      return subjectsOfSession(db, issuer, principal.sid);
  }
}

async function isKnown(db: Database, issuer: string, subject: string): Promise<boolean> {
  for (const table of ["identities", "staff_identities", "certificates"] as const) {
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

async function subjectsByEmail(db: Database, issuer: string, email: string): Promise<string[]> {
  const members = await db
    .selectFrom("identities")
    .innerJoin("members", "members.id", "identities.member_id")
    .select("identities.subject")
    .where("identities.issuer", "=", issuer)
    .where("members.email", "=", email)
    .execute();
  const staff = await db
    .selectFrom("staff_identities")
    .select("subject")
    .where("issuer", "=", issuer)
    .where("email", "=", email)
    .execute();
  return [...members, ...staff].map(({ subject }) => subject);
}
