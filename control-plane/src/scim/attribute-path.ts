import type { ResourceSchema, ScimAttribute } from "./attributes.ts";

/** Where a value is: in an extension or not, in an attribute, and perhaps in one of its parts. */
export interface AttributePath {
  extension: ScimAttribute | undefined;
  /** Undefined: the extension as a whole. */
  attribute: ScimAttribute | undefined;
  sub: ScimAttribute | undefined;
}

/** Most characters of a path. */
const MOST_CHARACTERS = 500;

/** `attrName` of RFC 7643 §2.1, and `$ref`; so neither `__proto__` nor anything with brackets. */
const NAME = /^(?:[A-Za-z][A-Za-z0-9_-]*|\$ref)$/;

/** How a name was not understood: it is no path at all, or one of an attribute that nobody here knows. */
export type UnknownPath = "malformed" | "unknown" | "unknown-extension";

/**
 * The path that a text (`userName`, `name.givenName`, with or without the schema's URN, in any case) means. `within` stands in
 * front of it, as in `emails[type eq "work"]`.
 */
export function parsePath(
  schema: ResourceSchema,
  text: string,
  within?: AttributePath,
): AttributePath | UnknownPath {
  if (text.length > MOST_CHARACTERS) return "malformed";
  if (within !== undefined) return parseWithin(within, text);
  const lower = text.toLowerCase();
  if (!lower.startsWith("urn:")) return find(schema.attributes, undefined, text);
  const own = schema.urn.toLowerCase();
  if (lower.startsWith(`${own}:`)) return find(schema.attributes, undefined, text.slice(own.length + 1));
  for (const [urn, extension] of schema.extensions) {
    if (lower === urn) return { extension, attribute: undefined, sub: undefined };
    if (lower.startsWith(`${urn}:`))
      return find(extension.subAttributes, extension, text.slice(urn.length + 1));
  }
  return /^urn(?::[A-Za-z0-9._~+$-]+)+$/i.test(text) ? "unknown-extension" : "malformed";
}

function parseWithin({ extension, attribute }: AttributePath, text: string): AttributePath | UnknownPath {
  if (!NAME.test(text)) return "malformed";
  const sub = attribute?.subAttributes.get(text.toLowerCase());
  return sub === undefined ? "unknown" : { extension, attribute, sub };
}

function find(
  attributes: ReadonlyMap<string, ScimAttribute>,
  extension: ScimAttribute | undefined,
  text: string,
): AttributePath | UnknownPath {
  const names = text.split(".");
  if (names.length > 2 || names.some((name) => !NAME.test(name))) return "malformed";
  const [name = "", subName] = names;
  const attribute = attributes.get(name.toLowerCase());
  if (attribute === undefined) return "unknown";
  if (subName === undefined) return { extension, attribute, sub: undefined };
  const sub = attribute.subAttributes.get(subName.toLowerCase());
  return sub === undefined ? "unknown" : { extension, attribute, sub };
}
