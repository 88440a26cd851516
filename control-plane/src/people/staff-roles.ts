import type { StaffRole } from "@sallyport/core/messages/client-api.ts";
import type { Configuration } from "../config/configuration.ts";

/** What the configuration says of staff: by e-mail, and by an IdP's groups. The first issuer is the security team's own. */
export interface StaffRules extends Pick<Configuration, "staff" | "staffGroups"> {
  issuers: readonly { issuer: string }[];
}

/** Somebody as far as it decides which staff they are. */
export interface StaffIdentity {
  issuer: string;
  /** That they are pinned to. */
  email: string | undefined;
  /** Names of groups by claim, as their own IdP gave them. */
  groups: ReadonlyMap<string, readonly string[]>;
}

/**
 * The roles that the configuration gives somebody. Each entry counts for one IdP only, so that a vendor's own IdP, which can
 * state any e-mail and any group it likes, names no staff.
 */
export function staffRoles(rules: StaffRules, { issuer, email, groups }: StaffIdentity): StaffRole[] {
  const byEmail = rules.staff
    .filter((entry) => entry.email === email && (entry.issuer ?? rules.issuers[0]?.issuer) === issuer)
    .flatMap(rolesOfEntry);
  const byGroup = rules.staffGroups
    .filter((entry) => entry.issuer === issuer && groups.get(entry.claim)?.includes(entry.group))
    .map(({ role }) => role);
  return [...new Set([...byEmail, ...byGroup])];
}

/** Every role of an entry under `staff`. */
function rolesOfEntry({ role, roles }: Configuration["staff"][number]): StaffRole[] {
  return role === undefined ? roles : [role, ...roles];
}
