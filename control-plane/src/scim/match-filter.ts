import type { AttributePath } from "./attribute-path.ts";
import type { ScimAttribute } from "./attributes.ts";
import type { Comparison, Filter, Operator } from "./filter.ts";
import type { Complex } from "./resource.ts";

/** Does a resource, or within brackets one value of its attribute, satisfy a filter? */
export function matches(filter: Filter, resource: Complex, isValue = false): boolean {
  switch (filter.type) {
    case "and":
      return filter.filters.every((one) => matches(one, resource, isValue));
    case "or":
      return filter.filters.some((one) => matches(one, resource, isValue));
    case "not":
      return !matches(filter.filter, resource, isValue);
    case "present":
      return valuesAt(resource, filter.path, isValue).some(isPresent);
    case "some":
      return valuesAt(resource, filter.path, isValue).some(
        (value) => isComplex(value) && matches(filter.filter, value, true),
      );
    case "compare":
      return matchesComparison(filter, valuesAt(resource, filter.path, isValue));
  }
}

function matchesComparison(
  { path, operator, value }: Extract<Filter, { type: "compare" }>,
  found: readonly unknown[],
): boolean {
  const attribute = path.sub ?? path.attribute;
  const present = found.filter(isPresent);
  // What is not there is null, and differs from everything else.
  if (present.length === 0) return operator === "eq" ? value === null : operator === "ne" && value !== null;
  const satisfies = (one: unknown) => compare(attribute, isComplex(one) ? one.value : one, operator, value);
  return operator === "ne" ? present.every(satisfies) : present.some(satisfies);
}

/** The values that a path leads to: of a multi-valued attribute all. */
function valuesAt(
  resource: Complex,
  { extension, attribute, sub }: AttributePath,
  isValue: boolean,
): unknown[] {
  if (attribute === undefined) return [];
  if (isValue) return sub === undefined ? [] : [resource[sub.name]];
  const from = extension === undefined ? resource : resource[extension.name];
  if (!isComplex(from)) return [];
  const value = from[attribute.name];
  const values = Array.isArray(value) ? value : [value];
  return sub === undefined ? values : values.map((one) => (isComplex(one) ? one[sub.name] : undefined));
}

function compare(
  attribute: ScimAttribute | undefined,
  actual: unknown,
  operator: Operator,
  wanted: Comparison,
): boolean {
  if (operator === "ne") return !compare(attribute, actual, "eq", wanted);
  if (typeof actual === "boolean")
    // Entra ID writes booleans as text.
    return operator === "eq" && String(actual) === String(wanted).toLowerCase();
  if (typeof actual !== "string" || typeof wanted !== "string") return false;
  if (attribute?.type === "dateTime") return ordered(Date.parse(actual), operator, Date.parse(wanted));
  const fold = (text: string) => (attribute?.caseExact === true ? text : text.toLowerCase());
  return comparedText(fold(actual), operator, fold(wanted));
}

function comparedText(actual: string, operator: Operator, wanted: string): boolean {
  if (operator === "co") return actual.includes(wanted);
  if (operator === "sw") return actual.startsWith(wanted);
  if (operator === "ew") return actual.endsWith(wanted);
  return ordered(actual, operator, wanted);
}

function ordered<T extends string | number>(actual: T, operator: Operator, wanted: T): boolean {
  switch (operator) {
    case "eq":
      return actual === wanted;
    case "gt":
      return actual > wanted;
    case "ge":
      return actual >= wanted;
    case "lt":
      return actual < wanted;
    case "le":
      return actual <= wanted;
    default:
      return false;
  }
}

function isPresent(value: unknown): boolean {
  if (value === undefined || value === null || value === "") return false;
  return typeof value !== "object" || Object.values(value).some(isPresent);
}

function isComplex(value: unknown): value is Complex {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
