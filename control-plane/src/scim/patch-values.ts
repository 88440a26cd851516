import type { ScimAttribute } from "./attributes.ts";
import type { Filter } from "./filter.ts";
import { type Complex, isObject, type ScimValue, set } from "./resource.ts";

/** The value that a filter of equations describes, or undefined. */
export function madeFor(filter: Filter): Complex | undefined {
  if (filter.type === "and") {
    const parts = filter.filters.map(madeFor);
    return parts.includes(undefined) ? undefined : Object.assign({}, ...parts);
  }
  if (filter.type !== "compare" || filter.operator !== "eq" || filter.path.sub === undefined)
    return undefined;
  const made: Complex = {};
  set(made, filter.path.sub, filter.value);
  return made;
}

/** What is added and there already is not there twice; only one value is the primary one. */
export function merged(
  attribute: ScimAttribute,
  there: readonly ScimValue[],
  added: readonly ScimValue[],
): ScimValue[] {
  const values = new Map(there.map((one) => [keyOf(attribute, one), one]));
  if (added.some((one) => isObject(one) && one.primary === true))
    for (const one of there) if (isObject(one) && one.primary === true) one.primary = false;
  for (const one of added) values.set(keyOf(attribute, one), one);
  return [...values.values()];
}

/** What is left of values when these go. */
export function without(
  attribute: ScimAttribute,
  there: readonly ScimValue[],
  gone: readonly ScimValue[],
): ScimValue[] {
  const keys = new Set(gone.map((one) => keyOf(attribute, one)));
  return there.filter((one) => !keys.has(keyOf(attribute, one)));
}

/** What tells values of one attribute apart: of members the id alone. */
function keyOf({ name }: ScimAttribute, value: ScimValue): string {
  if (!isObject(value)) return String(value);
  const { value: id, type } = value;
  if (id === undefined) return JSON.stringify(value);
  return JSON.stringify(name === "members" ? id : [id, type]);
}
