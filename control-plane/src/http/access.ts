import { SallyportError } from "@sallyport/core/errors.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import type { Permission } from "../people/permissions.ts";
import type { Caller } from "./caller.ts";

/**
 * What a route asks of its caller: nothing (`public`), that they are a person who is signed in, revoked or not (`self`), or
 * that one of their roles, and their token where it has scopes, has a permission.
 */
export type Access = "public" | "self" | Permission;

/**
 * Lets only such callers on. Code `forbidden`. What they may do it to is for `sight.ts`. `takesTokens`: a `self` route where a
 * token will do that no sign-in stands behind.
 */
export function checkAccess(caller: Caller, access: Access, takesTokens = false): void {
  if (access === "public") return;
  const isPerson = caller.tokenKind === "sign-in";
  if (access === "self") {
    if (isPerson || takesTokens) return;
    throw forbidden("This takes a person who has signed in; a token does not do.");
  }
  if (caller.permissions.has(access)) return;
  if (caller.revoked !== undefined && caller.roles.length === 0) throw forbidden(revokedText(caller.revoked));
  if (!isPerson)
    throw forbidden(
      `This takes the permission ${access}, which this token does not have: its scopes and its maker's roles both have to allow it, and some things take a person who has signed in.`,
    );
  if (caller.roles.length > 0)
    throw forbidden(`This takes the permission ${access}, which ${whoLacks(caller)} not have.`);
  throw forbidden("You are no longer a member of anything here.");
}

function revokedText({ by, reason }: Revocation): string {
  return `Your access was revoked by ${by}${reason === "" ? "" : `: ${reason}`}.`;
}

function whoLacks({ roles }: Caller): string {
  return roles.length === 1 ? `the role ${roles[0]} does` : `your roles (${roles.join(", ")}) do`;
}

function forbidden(message: string): SallyportError {
  return new SallyportError("forbidden", message);
}
