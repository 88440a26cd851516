import type { Role } from "@sallyport/core/messages/client-api.ts";
import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import { type Permission, permits } from "../people/permissions.ts";
import type { Caller } from "./caller.ts";

/**
 * Whose things a caller may do something to: everybody's (`all`), their own as a contractor, those of the engagements that
 * they sponsor. What is out of sight is answered as if it were not there.
 */
export interface Sight {
  all: boolean;
  /** The contractor's own member id. */
  memberId: string | undefined;
  /** E-mail that an engagement has to name as its sponsor. */
  sponsor: string | undefined;
}

/** Roles that are not bound to things of their own. */
const UNBOUND: readonly Role[] = ["admin", "approver", "auditor"];

/** What `caller` may do `permission` to. */
export function sightOf(caller: Caller, permission: Permission): Sight {
  const may = (role: Role) =>
    caller.permissions.has(permission) && caller.roles.includes(role) && permits([role], permission);
  return {
    all: UNBOUND.some(may),
    memberId: may("contractor") ? caller.member?.id : undefined,
    sponsor: may("sponsor") ? caller.email : undefined,
  };
}

/** True when this engagement is in sight. */
export function seesEngagement(sight: Sight, engagement: Pick<Engagement, "members" | "sponsor">): boolean {
  if (sight.all) return true;
  if (sight.memberId !== undefined && engagement.members.includes(sight.memberId)) return true;
  return sight.sponsor !== undefined && engagement.sponsor === sight.sponsor;
}
