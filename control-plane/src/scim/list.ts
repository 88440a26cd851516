import { setImmediate } from "node:timers/promises";
import { listScimGroups, scimGroupMembers } from "../database/scim-groups.ts";
import { countListedScimUsers, listScimUsers, type ScimUserKey } from "../database/scim-users.ts";
import type { Database } from "../database/tables.ts";
import type { ResourceSchema } from "./attributes.ts";
import { type Filter, parseFilter } from "./filter.ts";
import { matches } from "./match-filter.ts";
import { groupResource, isWanted, project, readWanted, userResource, type Wanted } from "./representation.ts";
import type { Complex } from "./resource.ts";

/** Most resources of one answer. */
export const MOST_RESULTS = 200;
/** Of groups with their members, which may be many. */
const MOST_MEMBERS = 20_000;
const GROUPS_COST = 5;
/** Users that are read at once while a filter is gone through, and what those count as in requests. */
const AT_ONCE = 500;
const AT_ONCE_COSTS = 5;

/** What a list is asked for with, in the query or in the body of `/.search`. */
export interface ListQuery {
  filter: Filter | undefined;
  /** The first one's place, from 1. */
  startIndex: number;
  count: number;
  wanted: Wanted;
}

/** Reads a query. Throws a `ScimError` with `invalidFilter`. */
export function readQuery(schema: ResourceSchema, query: Record<string, unknown>): ListQuery {
  const { filter } = query;
  return {
    filter: typeof filter === "string" && filter !== "" ? parseFilter(schema, filter) : undefined,
    startIndex: Math.max(1, integer(query.startIndex, 1)),
    count: Math.min(MOST_RESULTS, Math.max(0, integer(query.count, MOST_RESULTS))),
    wanted: readWanted(schema, query),
  };
}

/** What is no number counts as if it were not there. */
function integer(value: unknown, otherwise: number): number {
  const number = typeof value === "number" ? value : Number.parseInt(String(value ?? ""), 10);
  return Number.isSafeInteger(number) ? number : otherwise;
}

/** Whose users are listed, at which address; `costs` is told what it is to count as. */
interface Lister {
  issuer: string;
  base: string;
  costs(requests: number): void;
}

/** Lists users of an IdP. What no index answers goes through all of them, and counts as more. */
export async function listUsers(
  db: Database,
  { issuer, base, costs }: Lister,
  query: ListQuery,
): Promise<object> {
  const { filter, startIndex, count, wanted } = query;
  const key = filter === undefined ? {} : keyOf(filter);
  const shown: Complex[] = [];
  if (key !== undefined) {
    const total = await countListedScimUsers(db, issuer, key);
    const page = { offset: startIndex - 1, limit: count };
    const rows = count === 0 ? [] : await listScimUsers(db, issuer, key, page);
    for (const row of rows) shown.push(project(userResource(base, row), wanted));
    return listResponse(query, total, shown);
  }
  let total = 0;
  for (let after = ""; ; ) {
    costs(AT_ONCE_COSTS);
    const rows = await listScimUsers(db, issuer, {}, { limit: AT_ONCE, after });
    for (const row of rows) {
      const resource = userResource(base, row);
      if (filter !== undefined && !matches(filter, resource)) continue;
      total++;
      if (total >= startIndex && shown.length < count) shown.push(project(resource, wanted));
    }
    if (rows.length < AT_ONCE) break;
    after = rows.at(-1)?.id ?? "";
    // Others' requests come between.
    await setImmediate();
  }
  return listResponse(query, total, shown);
}

/** Lists groups of an IdP, which are few. */
export async function listGroups(
  db: Database,
  { issuer, base, costs }: Lister,
  query: ListQuery,
): Promise<object> {
  const { filter, startIndex, count, wanted } = query;
  const asksMembers = filter !== undefined && mentions(filter, "members");
  costs(GROUPS_COST);
  let total = 0;
  let members = 0;
  const shown: Complex[] = [];
  for (const row of await listScimGroups(db, issuer)) {
    const known = asksMembers ? await scimGroupMembers(db, row.id) : undefined;
    if (filter !== undefined && !matches(filter, groupResource(base, row, known))) continue;
    total++;
    // Fewer than were asked for is allowed (RFC 7644 §3.4.2.4); more than fits in memory is not.
    if (total < startIndex || shown.length >= count || members > MOST_MEMBERS) continue;
    const listed = isWanted(wanted, "members") ? (known ?? (await scimGroupMembers(db, row.id))) : undefined;
    members += listed?.length ?? 0;
    shown.push(project(groupResource(base, row, listed), wanted));
  }
  return listResponse(query, total, shown);
}

/** What the database finds by itself: an equation of what is indexed. */
function keyOf(filter: Filter): ScimUserKey | undefined {
  if (filter.type !== "compare" || filter.operator !== "eq") return undefined;
  const { path, value } = filter;
  if (path.extension !== undefined || path.sub !== undefined) return undefined;
  const name = path.attribute?.name;
  if (name === "active" && ["true", "false"].includes(String(value).toLowerCase()))
    return { active: String(value).toLowerCase() === "true" };
  if (typeof value !== "string") return undefined;
  // PostgreSQL refuses U+0000, and no user has one.
  if (value.includes("\0")) return undefined;
  if (name === "userName") return { userName: value };
  if (name === "externalId") return { externalId: value };
  return name === "id" ? { id: value } : undefined;
}

function mentions(filter: Filter, name: string): boolean {
  if (filter.type === "not") return mentions(filter.filter, name);
  if ("filters" in filter) return filter.filters.some((one) => mentions(one, name));
  return filter.path.attribute?.name === name;
}

function listResponse({ startIndex }: ListQuery, totalResults: number, resources: Complex[]): object {
  return {
    schemas: ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
    totalResults,
    startIndex,
    itemsPerPage: resources.length,
    Resources: resources,
  };
}
