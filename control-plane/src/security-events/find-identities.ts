import { isKnownIdentity, subjectsWithEmail } from "../database/known-identities.ts";
import { subjectsOfSession } from "../database/sign-in-sessions.ts";
import type { Database } from "../database/tables.ts";
import type { Principal } from "./subject-identifier.ts";

/**
 * The subjects of this issuer that are known here and that any of these may mean. An e-mail leads only to identities of this very
 * issuer; one that somebody has at another IdP is not touched.
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
      return (await isKnownIdentity(db, issuer, principal.subject)) ? [principal.subject] : [];
    case "email":
      return subjectsWithEmail(db, issuer, [principal.email.toLowerCase()]);
    case "session":
      return subjectsOfSession(db, issuer, principal.sid);
  }
}
