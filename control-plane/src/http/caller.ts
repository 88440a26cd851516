import { SallyportError } from "@sallyport/core/errors.ts";
import type { Role, StaffRole } from "@sallyport/core/messages/client-api.ts";
import { identityTarget, type Revocation } from "@sallyport/core/policy/revocation.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { type ApiTokenRow, findApiToken, noteTokenUse } from "../database/api-tokens.ts";
import { groupsOf } from "../database/identity-groups.ts";
import { memberByIdentity } from "../database/members.ts";
import { findRevocation, revocationOf, wasRevokedSince } from "../database/revocations.ts";
import { staffEmailByIdentity } from "../database/staff.ts";
import type { Database } from "../database/tables.ts";
import { type Clock, seconds } from "../environment.ts";
import { tokenHash } from "../issuance/api-token.ts";
import { isPlausibleToken } from "../issuance/token-secret.ts";
import { type KnownPerson, rolesOf } from "../people/describe-me.ts";
import { impersonal, type Permission, permissionsOf } from "../people/permissions.ts";
import { type StaffRules, staffRoles } from "../people/staff-roles.ts";

/** For how long a group counts that the IdP named at a sign-in: a scoped token lasts longer than its maker may stay. */
const GROUPS_COUNT = 30 * 24 * 3600;

/** Who calls the API, as known by the bearer token and by what holds now: roles are looked up with every request. */
export interface Caller extends KnownPerson {
  tokenHash: string;
  /** `scoped` and `bootstrap` tokens have no sign-in behind them. */
  tokenKind: "sign-in" | "scoped" | "bootstrap";
  /** Of staff, as pinned at their first sign-in; or the member's. Lower case. */
  email: string | undefined;
  /** Roles that hold now: a revoked contractor has none. */
  roles: readonly Role[];
  /** What the roles, and the token's scopes, allow. */
  permissions: ReadonlySet<Permission>;
  /** What took from them what they were as a contractor, or everything where it is of level `identity`. */
  revoked: Revocation | undefined;
}

interface Needs {
  db: Database;
  clock: Clock;
  config: StaffRules;
}

/** The caller that an `Authorization` header names. Code `unauthenticated`. */
export async function authenticate(needs: Needs, header: string | undefined): Promise<Caller> {
  const token = /^Bearer ([A-Za-z0-9_-]{20,128})$/i.exec(header ?? "")?.[1];
  return callerOf(needs, token !== undefined && isPlausibleToken(token) ? tokenHash(token) : undefined);
}

/** The caller that a token stands for, by its hash. Code `unauthenticated` when it is not good any more. */
export async function callerOf(needs: Needs, hash: string | undefined): Promise<Caller> {
  const now = seconds(needs.clock);
  const row = hash === undefined ? undefined : await findApiToken(needs.db, hash, now);
  if (row === undefined)
    throw new SallyportError(
      "unauthenticated",
      "You are not signed in, or the sign-in has expired. Sign in again.",
    );
  await noteTokenUse(needs.db, row, now);
  if (row.kind === "bootstrap") return bootstrapCaller(row);
  return row.kind === "scoped" ? scopedCaller(needs, row) : signedInCaller(needs, row);
}

async function signedInCaller(needs: Needs, row: ApiTokenRow): Promise<Caller> {
  const { issuer, subject } = row;
  const member = await memberByIdentity(needs.db, issuer, subject);
  const revoked = await revocationOf(needs.db, {
    ...{ issuer, subject, signedInAt: row.created_at },
    ...(member === undefined ? {} : { memberId: member.id, vendors: [member.vendor] }),
  });
  // A device sign-in can be tricked out of somebody: it makes nobody staff, also who became it since.
  const staff = row.kind === "brokered" ? { email: undefined, roles: [] } : await staffOf(needs, row);
  const roles = rolesOf({ member: revoked === undefined ? member : undefined, staffRoles: staff.roles });
  checkSignIn(revoked, roles);
  return {
    ...common(row),
    tokenKind: "sign-in",
    member,
    staffRoles: staff.roles,
    email: staff.email ?? member?.email ?? undefined,
    roles,
    permissions: new Set(permissionsOf(roles)),
    revoked,
  };
}

/**
 * A sign-in that was ended is over. What takes away a vendor or an IdP as a whole leaves staff what they are as staff: nobody is to lock the
 * security team out by it. Code `unauthenticated`.
 */
function checkSignIn(revoked: Revocation | undefined, roles: readonly Role[]): void {
  if (revoked === undefined || revoked.before === null) return;
  if (revoked.level !== "identity" && roles.length > 0) return;
  const reason = revoked.reason === "" ? "" : `: ${revoked.reason}`;
  throw new SallyportError(
    "unauthenticated",
    `Your sign-in was ended by ${revoked.by}${reason}. Sign in again.`,
  );
}

/**
 * A program of somebody's: staff, and within the scopes. What they are as a contractor is not for programs. It outlives sign-ins, and
 * not that its maker is disabled, also where that was lifted since: nothing of before comes back. Code `unauthenticated`.
 */
async function scopedCaller(needs: Needs, row: ApiTokenRow): Promise<Caller> {
  const { email, roles, disabled } = await staffOf(needs, row);
  const identity = { level: "identity", target: identityTarget(row.issuer, row.subject) } as const;
  if (disabled === undefined && (await wasRevokedSince(needs.db, identity, row.created_at)))
    throw new SallyportError(
      "unauthenticated",
      "This token ended when the account of whoever made it was disabled. It does not come back with the account: make another.",
    );
  const scopes = new Set(JSON.parse(row.scopes_json ?? "[]") as string[]);
  return {
    ...common(row),
    tokenKind: "scoped",
    member: undefined,
    staffRoles: roles,
    email,
    roles,
    permissions: new Set(impersonal(permissionsOf(roles)).filter((permission) => scopes.has(permission))),
    revoked: disabled,
  };
}

function bootstrapCaller(row: ApiTokenRow): Caller {
  return {
    ...common(row),
    tokenKind: "bootstrap",
    member: undefined,
    staffRoles: ["admin"],
    email: undefined,
    roles: ["admin"],
    permissions: new Set(impersonal(permissionsOf(["admin"]))),
    revoked: undefined,
  };
}

function common({ issuer, subject, name, mfa, hash }: ApiTokenRow) {
  return { issuer, subject, name, mfa, tokenHash: hash };
}

/**
 * Which staff an identity is now, by the configuration and by what its IdP said last. One that was disabled is none, whatever it
 * comes in by: a sign-in, a token of before, a button pressed elsewhere. Its sign-ins having ended changes nothing here.
 */
export async function staffOf(
  { db, clock, config }: Needs,
  { issuer, subject }: { issuer: string; subject: string },
): Promise<{ email: string | undefined; roles: StaffRole[]; disabled: Revocation | undefined }> {
  const entry = await findRevocation(db, "identity", identityTarget(issuer, subject));
  if (entry !== undefined && entry.before === null) return { email: undefined, roles: [], disabled: entry };
  const email = await staffEmailByIdentity(db, issuer, subject);
  const groups = await groupsOf(db, issuer, subject, seconds(clock) - GROUPS_COUNT);
  const roles = staffRoles(config, { issuer, email, groups });
  // Somebody who was staff once is not known by that e-mail any more.
  return { email: roles.length > 0 ? email : undefined, roles, disabled: undefined };
}

/**
 * How a caller is named in revocations, ends and the audit log: by their e-mail, or where none is vouched for, by the identity
 * and then by the name. At many IdPs people name themselves, and could take somebody else's e-mail for a name.
 */
export function actorName({ email, tokenKind, issuer, subject, name }: Caller): string {
  if (email !== undefined) return email;
  return tokenKind === "bootstrap" ? name : printable(`${subject} at ${issuer} (${name})`, 300);
}
