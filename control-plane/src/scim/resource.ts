import { isNotKept, type ResourceSchema, type ScimAttribute } from "./attributes.ts";
import { badRequest } from "./scim-error.ts";

/** A complex value: attributes by their name as the schema writes it. */
export interface Complex {
  [name: string]: ScimValue | undefined;
}
export type ScimValue = string | boolean | Complex | ScimValue[];

const MOST_TEXT = 4000;
/** Of one attribute; groups may have more members. */
const MOST_VALUES = 200;
const MOST_MEMBERS = 20_000;

/** One pass over all code points that neither PostgreSQL nor canonical JSON can hold. */
const NOT_TEXT = /[\0\p{Cs}]/u;

/**
 * A resource as `POST` and `PUT` bring it: with the attributes that are known here, in the schema's spelling, and nothing else. What only
 * the server writes is dropped, as RFC 7644 §3.5.1 has it. Throws a `ScimError` with `invalidSyntax` or `invalidValue`.
 */
export function readResource(schema: ResourceSchema, body: unknown): Complex {
  if (!isObject(body)) throw badRequest("invalidSyntax", "The body must be a JSON object.");
  requireSchema(body, schema.urn);
  const resource: Complex = {};
  for (const [key, value] of Object.entries(body)) {
    const extension = schema.extensions.get(key.toLowerCase());
    const attribute = extension ?? schema.attributes.get(key.toLowerCase());
    if (attribute === undefined || attribute.readOnly || isNotKept(key)) continue;
    set(resource, attribute, value);
  }
  return resource;
}

/** Refuses a body that does not say to be what is wanted. */
export function requireSchema(body: Record<string, unknown>, urn: string): void {
  const [, schemas] = Object.entries(body).find(([key]) => key.toLowerCase() === "schemas") ?? [];
  const says = Array.isArray(schemas)
    ? schemas.some((one) => typeof one === "string" && one.toLowerCase() === urn.toLowerCase())
    : false;
  if (!says) throw badRequest("invalidSyntax", `\`schemas\` must list ${urn}.`);
}

/** Sets an attribute, or removes it where the value is null or an empty list. */
export function set(target: Complex, attribute: ScimAttribute, value: unknown): void {
  const read = readValue(attribute, value);
  if (read === undefined) delete target[attribute.name];
  else target[attribute.name] = read;
}

/** A value in the attribute's own form, or undefined for none. */
export function readValue(attribute: ScimAttribute, value: unknown): ScimValue | undefined {
  if (value === null || value === undefined) return undefined;
  if (!attribute.multiValued) return readSingle(attribute, value);
  const values = Array.isArray(value) ? value : [value];
  const most = attribute.name === "members" ? MOST_MEMBERS : MOST_VALUES;
  if (values.length > most) throw badRequest("invalidValue", `${attribute.name} has at most ${most} values.`);
  const read = values.map((one) => readSingle(attribute, one)).filter((one) => one !== undefined);
  return read.length === 0 ? undefined : read;
}

/** One value of an attribute that may have several. */
export function readSingle(attribute: ScimAttribute, value: unknown): ScimValue | undefined {
  if (value === null || value === undefined) return undefined;
  const { name, type } = attribute;
  if (type === "complex") return readComplex(attribute, value);
  if (type === "boolean") return readBoolean(name, value);
  if (typeof value !== "string" || value.length > MOST_TEXT || NOT_TEXT.test(value))
    throw badRequest("invalidValue", `${name} must be text of at most ${MOST_TEXT} characters.`);
  return value;
}

function readComplex(attribute: ScimAttribute, value: unknown): Complex | undefined {
  // Entra ID writes the manager, and some IdPs members, as their id alone.
  const written = typeof value === "string" && attribute.subAttributes.has("value") ? { value } : value;
  if (!isObject(written)) throw badRequest("invalidValue", `${attribute.name} must be an object.`);
  const complex: Complex = {};
  for (const [key, part] of Object.entries(written)) {
    const sub = attribute.subAttributes.get(key.toLowerCase());
    if (sub !== undefined && !sub.readOnly) set(complex, sub, part);
  }
  return Object.keys(complex).length === 0 ? undefined : complex;
}

/** Entra ID writes "False", and with `aadOptscim062020` false. */
function readBoolean(name: string, value: unknown): boolean {
  const text = typeof value === "string" ? value.toLowerCase() : value;
  if (text === true || text === "true") return true;
  if (text === false || text === "false") return false;
  throw badRequest("invalidValue", `${name} must be true or false.`);
}

/** True for a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
