import type { Role } from "@sallyport/core/messages/client-api.ts";
import { z } from "zod";

/** What a route may ask of its caller. `object:verb`. */
export const Permission = z.enum([
  "engagements:read",
  "engagements:write",
  "engagements:end",
  "approvals:request",
  "approvals:read",
  "approvals:answer",
  "hosts:read",
  "hosts:write",
  "sessions:read",
  "recordings:read",
  "recordings:hold",
  "revocations:read",
  "revocations:write",
  "audit:read",
  "tokens:write",
  "metrics:read",
]);
export type Permission = z.infer<typeof Permission>;

/** What takes a person who has signed in: no token that lies in a file answers for one, or makes more tokens. */
const PERSONAL = ["approvals:request", "approvals:answer", "tokens:write"] as const;

/** The scopes of API tokens. */
export const TokenScope = Permission.exclude(PERSONAL);
export type TokenScope = z.infer<typeof TokenScope>;

/** What of these permissions a token may have that no sign-in stands behind. */
export function impersonal(permissions: readonly Permission[]): TokenScope[] {
  return permissions.filter((permission) => TokenScope.safeParse(permission).success) as TokenScope[];
}

/**
 * What each role may do. Contractors and sponsors do it only to what is theirs (see `http/sight.ts`); the others to
 * everything.
 */
const GRANTED: Record<Role, readonly Permission[]> = {
  contractor: [
    "engagements:read",
    "approvals:request",
    "approvals:read",
    "hosts:read",
    "sessions:read",
    "recordings:read",
  ],
  sponsor: [
    "engagements:read",
    "engagements:end",
    "approvals:read",
    "approvals:answer",
    "hosts:read",
    "sessions:read",
    "recordings:read",
    "tokens:write",
  ],
  approver: [
    "engagements:read",
    "approvals:read",
    "approvals:answer",
    "hosts:read",
    "sessions:read",
    "tokens:write",
  ],
  auditor: [
    "engagements:read",
    "approvals:read",
    "hosts:read",
    "sessions:read",
    "recordings:read",
    "revocations:read",
    "audit:read",
    "tokens:write",
    "metrics:read",
  ],
  admin: Permission.options,
};

/** True when one of these roles may do it. */
export function permits(roles: readonly Role[], permission: Permission): boolean {
  return roles.some((role) => GRANTED[role].includes(permission));
}

/** Everything that these roles may do together. */
export function permissionsOf(roles: readonly Role[]): Permission[] {
  return Permission.options.filter((permission) => permits(roles, permission));
}
