import type { z } from "zod";

/** Longer ones are compared with nothing: it takes the product of the lengths. */
const MAX_LENGTH = 64;

/** The known key at `path` of a schema that `key` looks like a slip of; undefined where none is near. */
export function nearestKey(schema: z.core.$ZodType, path: readonly PropertyKey[], key: string) {
  if (key.length > MAX_LENGTH) return undefined;
  const near = knownKeys(schema, path)
    .map((known) => ({ known, distance: editDistance(key.toLowerCase(), known.toLowerCase()) }))
    .filter(({ distance }) => distance <= Math.ceil(key.length / 3))
    .sort((a, b) => a.distance - b.distance);
  return near[0]?.known;
}

/** The keys that a map at `path` may have; none where any may be. */
function knownKeys(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  const [first, ...rest] = path;
  switch (def.type) {
    case "object": {
      if (first === undefined) return Object.keys(def.shape);
      const field = Object.hasOwn(def.shape, first) ? def.shape[String(first)] : undefined;
      return field === undefined ? [] : knownKeys(field, rest);
    }
    case "array":
      return first === undefined ? [] : knownKeys(def.element, rest);
    case "record":
      return first === undefined ? [] : knownKeys(def.valueType, rest);
    case "union":
      return def.options.flatMap((option) => knownKeys(option, path));
    case "pipe":
      return knownKeys(def.in, path);
    case "optional":
    case "nullable":
    case "default":
    case "prefault":
    case "readonly":
      return knownKeys(def.innerType, path);
    default:
      return [];
  }
}

/** How many letters to add, drop or change (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const changed = (row[j] ?? 0) + (letter === b[j] ? 0 : 1);
      next.push(Math.min(changed, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
