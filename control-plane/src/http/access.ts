import { SallyportError } from "@sallyport/core/errors.ts";
import type { MiddlewareHandler } from "hono";
import { authenticate, type Caller } from "./caller.ts";
import type { AppEnv, Services } from "./services.ts";

/**
 * What a route asks of its caller:
 * `self` that they are signed in, revoked or not; `member-or-staff` that their access holds; `auditor` and `admin` that
 * they are staff. An admin may do what an auditor may.
 */
export type Access = "self" | "member-or-staff" | "auditor" | "admin";

/** Middleware that lets only such callers on, and keeps who it is. Codes `unauthenticated`, `forbidden`. */
export function requires(access: Access, services: Services): MiddlewareHandler<AppEnv> {
  const needs = { db: services.db, clock: services.environment.clock, config: services.config };
  return async (context, next) => {
    const caller = await authenticate(needs, context.req.header("authorization"));
    checkAccess(caller, access);
    context.set("caller", caller);
    await next();
  };
}

/** True for callers who see what belongs to others. */
export function seesAll(caller: Caller): boolean {
  return caller.staffRole !== undefined;
}

function checkAccess(caller: Caller, access: Access): void {
  if (access === "self") return;
  if (access === "admin" && caller.staffRole !== "admin") throw forbidden("Only an admin may do this.");
  if (access === "auditor" && caller.staffRole === undefined)
    throw forbidden("Only the security team may do this.");
  if (caller.staffRole !== undefined) return;
  if (caller.revoked !== undefined) {
    const { by, reason } = caller.revoked;
    throw forbidden(`Your access was revoked by ${by}${reason === "" ? "" : `: ${reason}`}.`);
  }
  if (caller.member === undefined) throw forbidden("You are no longer a member of anything here.");
}

function forbidden(message: string): SallyportError {
  return new SallyportError("forbidden", message);
}
