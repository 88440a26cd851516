import type { ScimGroupRow } from "../database/scim-groups.ts";
import type { ScimUserRow } from "../database/scim-users.ts";
import { type AttributePath, parsePath } from "./attribute-path.ts";
import { ENTERPRISE_USER, GROUP, type ResourceSchema, USER } from "./attributes.ts";
import { type Complex, isObject } from "./resource.ts";

/** A user as it is answered. `base` is the address of `/scim/v2`. */
export function userResource(base: string, row: ScimUserRow): Complex {
  const resource = JSON.parse(row.resource_json) as Complex;
  return {
    schemas: [USER, ...(ENTERPRISE_USER in resource ? [ENTERPRISE_USER] : [])],
    id: row.id,
    ...resource,
    meta: meta(base, "User", row),
  };
}

/** A group as it is answered; without members where these were not read. */
export function groupResource(base: string, row: ScimGroupRow, members?: readonly string[]): Complex {
  return {
    schemas: [GROUP],
    id: row.id,
    ...(row.external_id !== null && { externalId: row.external_id }),
    displayName: row.display_name,
    ...(members !== undefined &&
      members.length > 0 && {
        members: members.map((value) => ({ value, $ref: `${base}/Users/${value}`, type: "User" })),
      }),
    meta: meta(base, "Group", row),
  };
}

/** The weak ETag of a version. */
export function etag(version: number): string {
  return `W/"${version}"`;
}

function meta(
  base: string,
  resourceType: "User" | "Group",
  row: Pick<ScimUserRow, "id" | "version" | "created_at_ms" | "changed_at_ms">,
): Complex {
  return {
    resourceType,
    created: new Date(row.created_at_ms).toISOString(),
    lastModified: new Date(row.changed_at_ms).toISOString(),
    location: `${base}/${resourceType}s/${row.id}`,
    version: etag(row.version),
  };
}

/** Which attributes are wanted: `attributes` and `excludedAttributes` of a request. */
export interface Wanted {
  attributes: readonly AttributePath[];
  excluded: readonly AttributePath[];
}

const MOST_NAMED = 100;

/** Reads lists of attribute names; what is not known here is left out. */
export function readWanted(
  schema: ResourceSchema,
  { attributes, excludedAttributes }: { attributes?: unknown; excludedAttributes?: unknown },
): Wanted {
  return { attributes: readPaths(schema, attributes), excluded: readPaths(schema, excludedAttributes) };
}

function readPaths(schema: ResourceSchema, names: unknown): AttributePath[] {
  const list = typeof names === "string" ? names.split(",", MOST_NAMED) : Array.isArray(names) ? names : [];
  return list.slice(0, MOST_NAMED).flatMap((name: unknown) => {
    const path = typeof name === "string" ? parsePath(schema, name.trim()) : "malformed";
    return typeof path === "string" ? [] : [path];
  });
}

/** True when an attribute will be in the answer. */
export function isWanted({ attributes, excluded }: Wanted, name: string): boolean {
  if (attributes.length > 0) return attributes.some(({ attribute }) => attribute?.name === name);
  return !excluded.some(({ attribute, sub }) => attribute?.name === name && sub === undefined);
}

/** The parts of a resource that are wanted; `id` and `schemas` are always there. */
export function project(resource: Complex, { attributes, excluded }: Wanted): Complex {
  if (attributes.length > 0) {
    const { schemas, id } = resource;
    const projected: Complex = { ...(schemas && { schemas }), ...(id && { id }) };
    for (const path of attributes) copy(resource, projected, path);
    return projected;
  }
  const rest = excluded.length === 0 ? resource : structuredClone(resource);
  for (const path of excluded) remove(rest, path);
  return rest;
}

function copy(from: Complex, to: Complex, { extension, attribute, sub }: AttributePath): void {
  if (extension !== undefined) {
    const there = from[extension.name];
    if (!isObject(there)) return;
    if (attribute === undefined) to[extension.name] = there as Complex;
    else {
      const inside = (to[extension.name] ?? {}) as Complex;
      copy(there as Complex, inside, { extension: undefined, attribute, sub });
      to[extension.name] = inside;
    }
    return;
  }
  if (attribute === undefined) return;
  const value = from[attribute.name];
  if (value === undefined) return;
  if (sub === undefined) to[attribute.name] = value;
  else if (Array.isArray(value))
    to[attribute.name] = value.map((one, index) => {
      const before = to[attribute.name];
      const there = Array.isArray(before) && isObject(before[index]) ? (before[index] as Complex) : {};
      const part = isObject(one) ? (one as Complex)[sub.name] : undefined;
      return part === undefined ? there : { ...there, [sub.name]: part };
    });
  else if (isObject(value)) {
    const part = (value as Complex)[sub.name];
    const there = to[attribute.name];
    if (part !== undefined)
      to[attribute.name] = { ...(isObject(there) ? (there as Complex) : {}), [sub.name]: part };
  }
}

function remove(from: Complex, { extension, attribute, sub }: AttributePath): void {
  const holder = extension === undefined ? from : from[extension.name];
  if (attribute === undefined) {
    if (extension !== undefined) delete from[extension.name];
    return;
  }
  if (!isObject(holder) || ["id", "schemas"].includes(attribute.name)) return;
  const inside = holder as Complex;
  if (sub === undefined) {
    delete inside[attribute.name];
    return;
  }
  const value = inside[attribute.name];
  for (const one of Array.isArray(value) ? value : [value])
    if (isObject(one)) delete (one as Complex)[sub.name];
}
