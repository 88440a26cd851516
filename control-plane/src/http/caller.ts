import { SallyportError } from "@sallyport/core/errors.ts";
import type { Role } from "@sallyport/core/messages/client-api.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import type { Configuration } from "../config/configuration.ts";
import { findApiToken } from "../database/api-tokens.ts";
import { memberByIdentity } from "../database/members.ts";
import { findRevocation } from "../database/revocations.ts";
import { staffEmailByIdentity } from "../database/staff.ts";
import type { Database } from "../database/tables.ts";
import { type Clock, seconds } from "../environment.ts";
import { tokenHash } from "../issuance/api-token.ts";
import { type KnownPerson, rolesOf } from "../people/describe-me.ts";
import { type Permission, permissionsOf } from "../people/permissions.ts";

/** Who calls the API, as known by the bearer token and by what holds now: roles are looked up with every request. */
export interface Caller extends KnownPerson {
  tokenHash: string;
  /** Of staff, as pinned at their first sign-in; or the member's. Lower case. */
  email: string | undefined;
  /** Roles that hold now: a revoked contractor has none. */
  roles: readonly Role[];
  /** What the roles, and the token's scopes, allow. */
  permissions: ReadonlySet<Permission>;
  /** Set when this member's access was revoked. */
  revoked: Revocation | undefined;
}

/** The caller that an `Authorization` header names. Code `unauthenticated`. */
export async function authenticate(
  needs: { db: Database; clock: Clock; config: Pick<Configuration, "staff"> },
  header: string | undefined,
): Promise<Caller> {
  const token = /^Bearer ([A-Za-z0-9_-]{20,128})$/i.exec(header ?? "")?.[1];
  const row = token && (await findApiToken(needs.db, tokenHash(token), seconds(needs.clock)));
  if (!row)
    throw new SallyportError(
      "unauthenticated",
      "You are not signed in, or the sign-in has expired. Sign in again.",
    );
  const { issuer, subject, name, mfa, hash } = row;
  const member = await memberByIdentity(needs.db, issuer, subject);
  const staffEmail = await staffEmailByIdentity(needs.db, issuer, subject);
  const staffRoles = needs.config.staff.filter(({ email }) => email === staffEmail).map(({ role }) => role);
  const revoked = member && (await findRevocation(needs.db, "member", member.id));
  const roles = rolesOf({ member: revoked === undefined ? member : undefined, staffRoles });
  return {
    tokenHash: hash,
    issuer,
    subject,
    name,
    mfa,
    member,
    staffRoles,
    email: staffEmail ?? member?.email ?? undefined,
    roles,
    permissions: new Set(permissionsOf(roles)),
    revoked,
  };
}

/** How a caller is named in revocations, ends and the audit log. */
export function actorName(caller: Caller): string {
  return caller.email ?? caller.name;
}
