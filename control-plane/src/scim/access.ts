import { identityTarget, type Revocation } from "@sallyport/core/policy/revocation.ts";
import { findRevocation } from "../database/revocations.ts";
import { isInScimGroup } from "../database/scim-groups.ts";
import type { ScimUserRow } from "../database/scim-users.ts";
import type { Database } from "../database/tables.ts";
import type { Environment } from "../environment.ts";
import { storeIdentityNotice } from "../revocations/identity-notice.ts";
import type { ScimIssuer } from "./scim-issuer.ts";
import { subjectsOf } from "./subjects.ts";

/** What a change is made with: a transaction, the clock, and the IdP that asks for it. */
export interface ScimChange {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
  idp: ScimIssuer;
  /** What was asked, for the audit log: "PATCH User". */
  request: string;
}

/** Whether a user may sign in: active, and in the group that gives access where there is one. */
export async function hasAccess(db: Database, idp: ScimIssuer, user: ScimUserRow): Promise<boolean> {
  if (user.active === 0 || user.deleted_at !== null) return false;
  return idp.requireGroup === undefined || (await isInScimGroup(db, idp.issuer, idp.requireGroup, user.id));
}

/**
 * Makes the revocation list say what a change of a user means, in its transaction: who has no access is disabled, and who has
 * it again is enabled. Returns the entries to announce once it is committed. Repeating a change adds nothing.
 */
export async function followAccess(
  change: ScimChange,
  user: ScimUserRow,
  { had, has, reason }: { had: boolean; has: boolean; reason: string },
): Promise<Revocation[]> {
  if (had && has) return [];
  const { known, expected } = await subjectsOf(change.db, change.idp, user);
  const entries: Revocation[] = [];
  for (const subject of known.length > 0 ? known : [expected]) {
    if (subject === null) continue;
    if (had || (await isNews(change, user, { subject, has, isKnown: known.length > 0 })))
      entries.push(...(await tell(change, user, { subject, has, reason })));
  }
  return entries;
}

/** What only an administrator takes back stays, whatever this says: `storeIdentityNotice` sees to that. */
function tell(
  { db, environment, idp, request }: ScimChange,
  user: ScimUserRow,
  { subject, has, reason }: { subject: string; has: boolean; reason: string },
): Promise<Revocation[]> {
  const effect = has ? "enable" : "disable";
  return storeIdentityNotice(db, environment, {
    ...{ issuer: idp.issuer, subject, effect, reason, by: actorOf(idp) },
    evidence: evidenceOf(request, user),
  });
}

/**
 * Whether it says something that the list does not: the same again and again would fill the audit log. Of somebody who has never
 * signed in only what is taken away is stored, for sign-ins look at the user itself too.
 */
async function isNews(
  { db, idp }: ScimChange,
  user: ScimUserRow,
  { subject, has, isKnown }: { subject: string; has: boolean; isKnown: boolean },
): Promise<boolean> {
  if (has && isKnown) return true;
  const newest = await findRevocation(db, "identity", identityTarget(idp.issuer, subject));
  const isDisabled = newest?.before === null;
  return has ? isDisabled : !isDisabled && (isKnown || user.active === 0);
}

/** Why somebody has no access who is active. */
export function notInGroup({ name, requireGroup = "" }: ScimIssuer): string {
  return `not in the group ${requireGroup} at ${name}`;
}

/** Who it is that says so, in lists and in the audit log. */
export function actorOf({ name }: ScimIssuer): string {
  return `SCIM of ${name}`;
}

/** What the audit log keeps of a request: never its body. */
export function evidenceOf(
  request: string,
  { issuer, id, external_id, user_name, active }: ScimUserRow,
): Record<string, unknown> {
  const user = { id, externalId: external_id, userName: user_name, active: active === 1 };
  return { way: "SCIM", issuer, request, user };
}
