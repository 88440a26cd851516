import { z } from "zod";
import { namedSchemas } from "./named-schemas.ts";

/** A JSON Schema, draft 2020-12. */
export interface JsonSchema {
  [keyword: string]: unknown;
}

const PREFIX = "#/$defs/";

/** The JSON Schemas of a document: those with names are kept once, and pointed to. */
export class Components {
  readonly schemas: Record<string, JsonSchema> = {};
  /** What each name stands for, written out. */
  readonly #meanings = new Map<string, string>();

  /** The JSON Schema of what comes in (before it is parsed) or goes out. Both are as they are on the wire. */
  schemaOf(schema: z.ZodType, io: "input" | "output"): JsonSchema {
    // As the property of an object even the outermost schema has its name.
    const { $defs = {}, properties } = convert(z.object({ it: schema }), io, namedSchemas) as {
      $defs?: Record<string, JsonSchema>;
      properties: { it: JsonSchema };
    };
    const names = new Map(Object.keys($defs).map((id) => [id, this.#nameFor(id, $defs, io)]));
    for (const [id, name] of names) {
      const { id: _id, ...definition } = $defs[id] ?? {};
      this.schemas[name] ??= renamed(definition, names);
    }
    return renamed(properties.it, names);
  }

  /** What a client sends may be less than what it gets: defaults are filled in. Then one name does not do for both. */
  #nameFor(id: string, definitions: Record<string, JsonSchema>, io: "input" | "output"): string {
    const meaning = writtenOut(definitions[id] ?? {}, definitions);
    const name = [id, `${id}${io === "input" ? "Input" : "Output"}`].find((name) => {
      const known = this.#meanings.get(name);
      return known === undefined || known === meaning;
    });
    if (name === undefined) throw new TypeError(`two schemas are called ${id}`);
    this.#meanings.set(name, meaning);
    return name;
  }
}

function convert(
  schema: z.core.$ZodType,
  io: "input" | "output",
  metadata?: typeof namedSchemas,
): JsonSchema {
  return z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    ...(metadata === undefined ? {} : { metadata }),
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod;
      // A client's own reading of a text, such as base64 into bytes: on the wire there is the text.
      if (io === "output" && def.type === "pipe" && def.out._zod.def.type === "transform") {
        const { $schema: _schema, ...wire } = convert(def.in, io);
        Object.assign(jsonSchema, wire);
      }
      // Answers may have more one day; a client that was made from this document has to bear it.
      if (io === "output" && def.type === "object" && def.catchall === undefined)
        delete jsonSchema.additionalProperties;
      const description = z.globalRegistry.get(zodSchema)?.description;
      if (description !== undefined) jsonSchema.description ??= description;
    },
  }) as JsonSchema;
}

function renamed<T>(value: T, names: ReadonlyMap<string, string>): T {
  return JSON.parse(JSON.stringify(value), (key, part: unknown) => {
    if (key !== "$ref" || typeof part !== "string") return part;
    const id = decodeURIComponent(part.slice(PREFIX.length));
    return `#/components/schemas/${names.get(id) ?? id}`;
  }) as T;
}

/** A definition as text, with everything that it points to in place. */
function writtenOut(definition: JsonSchema, definitions: Record<string, JsonSchema>): string {
  return JSON.stringify(definition, (key, part: unknown) => {
    if (key !== "$ref" || typeof part !== "string") return part;
    return writtenOut(definitions[decodeURIComponent(part.slice(PREFIX.length))] ?? {}, definitions);
  });
}
