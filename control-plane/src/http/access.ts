import { SallyportError } from "@sallyport/core/errors.ts";
import type { Permission } from "../people/permissions.ts";
import type { Caller } from "./caller.ts";

/**
 * What a route asks of its caller: nothing (`public`), that they are signed in, revoked or not (`self`), or that one of
 * their roles, and their token where it has scopes, has a permission.
 */
export type Access = "public" | "self" | Permission;

/** Lets only such callers on. Code `forbidden`. What they may do it to is for `sight.ts`. */
export function checkAccess(caller: Caller, access: Access): void {
  if (access === "public" || access === "self" || caller.permissions.has(access)) return;
  if (caller.roles.length > 0)
    throw forbidden(`This takes the permission ${access}, which ${whoLacks(caller)} not have.`);
  if (caller.revoked !== undefined) {
    const { by, reason } = caller.revoked;
    throw forbidden(`Your access was revoked by ${by}${reason === "" ? "" : `: ${reason}`}.`);
  }
  throw forbidden("You are no longer a member of anything here.");
}

function whoLacks({ roles }: Caller): string {
  return roles.length === 1 ? `the role ${roles[0]} does` : `your roles (${roles.join(", ")}) do`;
}

function forbidden(message: string): SallyportError {
  return new SallyportError("forbidden", message);
}
