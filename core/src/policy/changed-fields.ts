import { z } from "zod";
import { canonicalJson } from "../canonical-json.ts";

/** One field that differs, named by its path: `hosts.names`. What is not there is left out. */
export const ChangedField = z.object({
  field: z.string(),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
});
export type ChangedField = z.infer<typeof ChangedField>;

/** What differs between two JSON objects, field by field. Lists count as one value, in their order. */
export function changedFields(before: object, after: object): ChangedField[] {
  return compare(before as Fields, after as Fields, "");
}

type Fields = Record<string, unknown>;

function compare(before: Fields, after: Fields, path: string): ChangedField[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((name) => {
    const [old, now] = [before[name], after[name]];
    const field = path === "" ? name : `${path}.${name}`;
    if (isFields(old) && isFields(now)) return compare(old, now, field);
    if (isSame(old, now)) return [];
    return {
      field,
      ...(old === undefined ? {} : { before: old }),
      ...(now === undefined ? {} : { after: now }),
    };
  });
}

function isSame(a: unknown, b: unknown): boolean {
  if (a === undefined || b === undefined) return a === b;
  return canonicalJson(a) === canonicalJson(b);
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
