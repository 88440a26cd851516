import { z } from "zod";

/** What the manual says of the key at `path` of a schema, which is its nearest `.describe()`; undefined where it says nothing. */
export function keyDescription(schema: z.core.$ZodType, path: readonly string[]): string | undefined {
  const here = z.globalRegistry.get(schema)?.description;
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case "object": {
      const [first, ...rest] = path;
      if (first === undefined) return here;
      const field = Object.hasOwn(def.shape, first) ? def.shape[first] : undefined;
      return field === undefined ? undefined : keyDescription(field, rest);
    }
    case "array":
      return path.length === 0 ? here : keyDescription(def.element, path.slice(1));
    case "record":
      return path.length === 0 ? here : (keyDescription(def.valueType, path.slice(1)) ?? here);
    case "pipe":
      return (path.length === 0 ? here : undefined) ?? keyDescription(def.in, path);
    case "optional":
    case "nullable":
    case "default":
    case "prefault":
    case "readonly":
      return (path.length === 0 ? here : undefined) ?? keyDescription(def.innerType, path);
    default:
      return here;
  }
}
