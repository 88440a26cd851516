import type { VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import { type ScimUserRow, scimUsersNaming, scimUsersWithEmail } from "../database/scim-users.ts";
import type { Database } from "../database/tables.ts";
import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";
import { hasAccess } from "./access.ts";
import { scimIssuers } from "./scim-issuer.ts";

/**
 * Refuses whom their IdP has provisioned and then disabled, deleted or taken out of the group that gives access, also where
 * nobody had seen them before. Whom it never told of may sign in: SCIM may be set up long after. Code `forbidden`.
 */
export async function refuseDeprovisioned(
  db: Database,
  issuers: readonly IssuerConfiguration[],
  token: Pick<VerifiedIdToken, "issuer" | "subject" | "email" | "emailVerified">,
): Promise<void> {
  const idp = scimIssuers(issuers).find(({ issuer }) => issuer === token.issuer);
  if (idp === undefined) return;
  const users = await usersOf(db, token);
  for (const user of users) if (await hasAccess(db, idp, user)) return;
  if (users.length === 0) return;
  throw new SallyportError(
    "forbidden",
    `${idp.name} says that this account has no access here any more. Ask the people who gave it to you to assign it again, ` +
      "then sign in again.",
  );
}

/** The users that an identity is: those that name its subject, or else those with its e-mail. */
async function usersOf(
  db: Database,
  { issuer, subject, email, emailVerified }: Parameters<typeof refuseDeprovisioned>[2],
): Promise<ScimUserRow[]> {
  const named = await scimUsersNaming(db, issuer, subject);
  if (named.length > 0 || email === null || !emailVerified) return named;
  return scimUsersWithEmail(db, issuer, email.toLowerCase());
}
