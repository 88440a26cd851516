import { z } from "zod";
import type { AttributePath } from "./attribute-path.ts";
import type { ResourceSchema, ScimAttribute } from "./attributes.ts";
import type { Filter } from "./filter.ts";
import { matches } from "./match-filter.ts";
import { findTarget, type Target } from "./patch-target.ts";
import { madeFor, merged, without } from "./patch-values.ts";
import {
  type Complex,
  isObject,
  readSingle,
  readValue,
  requireSchema,
  type ScimValue,
  set,
} from "./resource.ts";
import { badRequest } from "./scim-error.ts";

const PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const MOST_OPERATIONS = 500;

/** Entra ID writes `Add`, `Replace`, `Remove`. */
const Operation = z.object({
  op: z
    .string()
    .max(20)
    .transform((op) => op.toLowerCase())
    .pipe(z.enum(["add", "replace", "remove"])),
  path: z.string().optional(),
  value: z.unknown().optional(),
});
type Operation = z.infer<typeof Operation>;

/**
 * Applies a PATCH of RFC 7644 §3.5.2 to a resource, as Okta and Entra ID write it too, and returns what it is then; the one given
 * stays as it is. Throws a `ScimError` when any operation is wrong: then nothing of it counts.
 */
export function applyPatch(schema: ResourceSchema, resource: Complex, body: unknown): Complex {
  if (!isObject(body)) throw badRequest("invalidSyntax", "The body must be a JSON object.");
  requireSchema(body, PATCH_OP);
  const [, operations] = Object.entries(body).find(([key]) => key.toLowerCase() === "operations") ?? [];
  const read = z.array(Operation).min(1).max(MOST_OPERATIONS).safeParse(operations);
  if (!read.success)
    throw badRequest(
      "invalidSyntax",
      `Operations must be 1 to ${MOST_OPERATIONS} objects with an \`op\` of add, replace or remove.`,
    );
  const patched = structuredClone(resource);
  for (const operation of read.data) apply(schema, patched, operation);
  return patched;
}

function apply(schema: ResourceSchema, resource: Complex, { op, path, value }: Operation): void {
  if (path !== undefined && path !== "") {
    applyAt(schema, resource, op, path, value);
    return;
  }
  if (op === "remove") throw badRequest("noTarget", "To remove takes a path.");
  if (!isObject(value)) throw badRequest("invalidValue", "Without a path the value must be an object.");
  // Their keys are paths too with Entra ID. What is unknown is dropped, as in a POST: it must not keep `active` from us.
  for (const [key, one] of Object.entries(value)) applyAt(schema, resource, op, key, one, true);
}

function applyAt(
  schema: ResourceSchema,
  resource: Complex,
  op: Operation["op"],
  text: string,
  value: unknown,
  isKey = false,
): void {
  const target = findTarget(schema, text, isKey);
  if (target === undefined) return;
  const { path, attribute, filter } = target;
  const holder = attribute === undefined ? undefined : holderOf(resource, path, op);
  if (attribute === undefined) applyToExtension(schema, resource, op, path, value);
  else if (attribute.readOnly) refuseReadOnly(resource, attribute, value, isKey);
  if (attribute === undefined || attribute.readOnly || holder === undefined) return;
  if (filter !== undefined) applyToValues(holder, op, { ...target, filter }, value);
  else if (path.sub !== undefined) applyToSub(holder, op, attribute, path.sub, value);
  else applyToAttribute(holder, op, attribute, value);
  tidy(resource, path);
}

/** Okta repeats `id` when it renames a group: that changes nothing, and is let pass. */
function refuseReadOnly(resource: Complex, attribute: ScimAttribute, value: unknown, isKey: boolean): void {
  if (attribute.name === "schemas" || (isKey && attribute.name === "meta")) return;
  if (value !== undefined && value === resource[attribute.name]) return;
  throw badRequest("mutability", `${attribute.name} cannot be changed.`);
}

function applyToExtension(
  schema: ResourceSchema,
  resource: Complex,
  op: Operation["op"],
  { extension }: AttributePath,
  value: unknown,
): void {
  if (extension === undefined) return;
  if (op === "remove" || value === null) delete resource[extension.name];
  else if (isObject(value))
    for (const [key, one] of Object.entries(value))
      applyAt(schema, resource, op, `${extension.name}:${key}`, one, true);
  else throw badRequest("invalidValue", `${extension.name} must be an object.`);
}

/** The object that has the attribute: the resource, or its extension. */
function holderOf(resource: Complex, { extension }: AttributePath, op: Operation["op"]): Complex | undefined {
  if (extension === undefined) return resource;
  const there = resource[extension.name];
  if (isObject(there)) return there as Complex;
  if (op === "remove") return undefined;
  const made: Complex = {};
  resource[extension.name] = made;
  return made;
}

function applyToAttribute(
  holder: Complex,
  op: Operation["op"],
  attribute: ScimAttribute,
  value: unknown,
): void {
  const there = holder[attribute.name];
  if (attribute.multiValued && Array.isArray(there)) {
    const given = readValue(attribute, value);
    // Entra ID names the members that go in the value: to remove all instead would be a disaster.
    if (op === "remove" && value !== undefined) {
      set(holder, attribute, without(attribute, there, Array.isArray(given) ? given : []));
      return;
    }
    if (op === "add") {
      set(holder, attribute, merged(attribute, there, Array.isArray(given) ? given : []));
      return;
    }
  }
  if (op === "remove") delete holder[attribute.name];
  else if (attribute.type === "complex" && !attribute.multiValued && isObject(there) && isObject(value))
    for (const [key, part] of Object.entries(value)) {
      const sub = attribute.subAttributes.get(key.toLowerCase());
      if (sub !== undefined && !sub.readOnly) set(there as Complex, sub, part);
    }
  else set(holder, attribute, value);
}

function applyToSub(
  holder: Complex,
  op: Operation["op"],
  attribute: ScimAttribute,
  sub: ScimAttribute,
  value: unknown,
): void {
  const there = holder[attribute.name];
  const parts = (Array.isArray(there) ? there : [there]).filter(isObject) as Complex[];
  if (op === "remove") for (const part of parts) delete part[sub.name];
  else if (parts.length > 0) for (const part of parts) set(part, sub, value);
  else {
    const made: Complex = {};
    set(made, sub, value);
    holder[attribute.name] = attribute.multiValued ? [made] : made;
  }
}

function applyToValues(
  holder: Complex,
  op: Operation["op"],
  { path, attribute, filter }: Target & { filter: Filter },
  value: unknown,
): void {
  if (attribute === undefined) return;
  const there = holder[attribute.name];
  const values = (Array.isArray(there) ? there : []).filter(isObject) as Complex[];
  const meant = values.filter((one) => matches(filter, one, true));
  const sub = path.sub;
  if (op === "remove") {
    const gone = new Set(meant);
    if (sub === undefined)
      set(
        holder,
        attribute,
        values.filter((one) => !gone.has(one)),
      );
    else for (const one of meant) delete one[sub.name];
    return;
  }
  if (meant.length === 0) {
    // Entra ID adds the first work address by `emails[type eq "work"].value`.
    const made = madeFor(filter);
    if (made === undefined)
      throw badRequest("noTarget", `No value of ${attribute.name} is the one in brackets.`);
    values.push(made);
    meant.push(made);
    holder[attribute.name] = values;
  }
  for (const one of meant) {
    if (sub !== undefined) set(one, sub, value);
    else Object.assign(one, readSingle(attribute, value));
  }
}

/** An extension or attribute with nothing in it is none. */
function tidy(resource: Complex, { extension, attribute }: AttributePath): void {
  const holder = extension === undefined ? resource : (resource[extension.name] as Complex | undefined);
  const value = attribute && holder?.[attribute.name];
  if (holder !== undefined && attribute !== undefined && isEmpty(value)) delete holder[attribute.name];
  if (extension !== undefined && isEmpty(holder)) delete resource[extension.name];
}

function isEmpty(value: ScimValue | undefined): boolean {
  return typeof value === "object" && Object.keys(value).length === 0;
}
