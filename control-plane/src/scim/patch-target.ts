import { type AttributePath, parsePath } from "./attribute-path.ts";
import { isNotKept, type ResourceSchema, type ScimAttribute } from "./attributes.ts";
import { type Filter, parseFilter } from "./filter.ts";
import { badRequest } from "./scim-error.ts";

const LONGEST_PATH = 2500;

/** Where an operation acts. */
export interface Target {
  path: AttributePath;
  attribute: ScimAttribute | undefined;
  /** Of brackets: which of the values. */
  filter: Filter | undefined;
}

/** What a path means; undefined for what is accepted and dropped. `isKey`: it is the key of an object. Throws `invalidPath`. */
export function findTarget(schema: ResourceSchema, text: string, isKey: boolean): Target | undefined {
  if (text.length > LONGEST_PATH) throw badRequest("invalidPath", "The path is too long.");
  const [, head = text, inside, tail] = /^([^[\]]+)\[(.*)\](?:\.([^.[\]]+))?$/s.exec(text) ?? [];
  if (isNotKept(/^[^.[]*/.exec(head)?.[0] ?? "")) return undefined;
  const path = parsePath(schema, head);
  if (path === "unknown-extension" || (isKey && path === "unknown")) return undefined;
  if (typeof path === "string") {
    // `__proto__` and its like as a key are dropped as well: they were never looked up.
    if (isKey && !/[[\]"]/.test(text)) return undefined;
    throw badRequest("invalidPath", `There is no attribute ${text.slice(0, 100)}.`);
  }
  if (inside === undefined) return { path, attribute: path.attribute, filter: undefined };
  if (path.attribute?.type !== "complex" || !path.attribute.multiValued || path.sub !== undefined)
    throw badRequest("invalidPath", "Brackets stand behind an attribute with several values.");
  const filter = parseFilter(schema, inside, { within: path, wrong: "invalidPath" });
  const sub = tail === undefined ? path : parsePath(schema, tail, path);
  if (typeof sub === "string")
    throw badRequest("invalidPath", `There is no attribute ${text.slice(0, 100)}.`);
  return { path: sub, attribute: path.attribute, filter };
}
