import type { VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import type { Configuration } from "../config/configuration.ts";
import { type Groups, noteGroups } from "../database/identity-groups.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";

/** Names kept of one claim. */
const MAX_GROUPS = 200;

type Rules = Configuration["staffGroups"];

/**
 * What an ID token says of the groups that could make somebody staff: those with a role first, 200 of each claim. Of an IdP that
 * names no staff there is nothing.
 */
export function namedGroups(rules: Rules, token: VerifiedIdToken): Groups {
  const own = rules.filter(({ issuer }) => issuer === token.issuer);
  const groups = new Map<string, string[]>();
  for (const { claim } of own) {
    const isStaff = new Set(own.filter((entry) => entry.claim === claim).map(({ group }) => group));
    const names = [...new Set(token.lists.get(claim) ?? [])];
    const staffFirst = names.toSorted((a, b) => Number(isStaff.has(b)) - Number(isStaff.has(a)));
    groups.set(claim, staffFirst.slice(0, MAX_GROUPS));
  }
  return groups;
}

/**
 * Keeps what an ID token says of groups, whether or not the sign-in comes to anything: who is in none any more is refused, and
 * their older sign-ins and tokens have to hear of it. Logs when the IdP left the groups out, as Entra ID does for somebody in more
 * than 200: that must not look like a lost role.
 */
export async function rememberGroups(
  { db, environment, rules }: { db: Database; environment: Pick<Environment, "clock" | "log">; rules: Rules },
  token: VerifiedIdToken,
): Promise<void> {
  const groups = namedGroups(rules, token);
  if (groups.size === 0) return;
  const { issuer, subject, issuedAt, elsewhere } = token;
  await noteGroups(db, { issuer, subject, groups, issuedAt, seenAt: seconds(environment.clock) });
  const claim = elsewhere.find((name) => groups.has(name));
  if (claim === undefined) return;
  environment.log.warn(
    "the IdP left the groups out of an ID token because there are too many: let it send only those of this application, or app roles",
    { issuer, subject, claim },
  );
}
