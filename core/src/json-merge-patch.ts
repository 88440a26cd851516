/*
 * JSON Merge Patch (RFC 7396): what is given replaces what is there, null takes it away, objects are merged, lists are
 * replaced as wholes.
 */

type Fields = Record<string, unknown>;

/** `target` with `patch` on it; neither is changed. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const result = new Map(Object.entries(isFields(target) ? target : {}));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, applyMergePatch(result.get(name), value));
  }
  return Object.fromEntries(result);
}

/** The patch that makes `after` out of `before`, where null in `after` is the same as nothing. */
export function makeMergePatch(before: object, after: object): Fields {
  return difference(before as Fields, after as Fields);
}

function difference(before: Fields, after: Fields): Fields {
  const patch = new Map<string, unknown>();
  for (const name of Object.keys(before)) if (own(after, name) === null) patch.set(name, null);
  for (const [name, now] of Object.entries(after)) {
    const old = own(before, name);
    if ((now ?? null) === null) continue;
    if (!isFields(now) || !isFields(old)) {
      if (JSON.stringify(now) !== JSON.stringify(old)) patch.set(name, now);
      continue;
    }
    const inner = difference(old, now);
    if (Object.keys(inner).length > 0) patch.set(name, inner);
  }
  for (const [name, value] of patch) if (value === null && own(before, name) === null) patch.delete(name);
  return Object.fromEntries(patch);
}

/** What an object has itself of this name, and not every object, as `constructor`; null for nothing. */
function own(fields: Fields, name: string): unknown {
  return (Object.hasOwn(fields, name) ? fields[name] : null) ?? null;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
