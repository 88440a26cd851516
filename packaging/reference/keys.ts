import { z } from "zod";

/** A key of a configuration file. */
export interface ConfigKey {
  /** With what it stands in: `issuers[].mfa.acr`. */
  path: string;
  /** What may be written, and its limits, in words. */
  form: string;
  /** As it is written in the file; `required`; or an empty text, where there is none to write. */
  byDefault: string;
  /** Meaning, unit and danger; an empty text where the schema has none. */
  description: string;
}

interface Json {
  description?: string;
  default?: unknown;
  type?: string;
  const?: unknown;
  enum?: unknown[];
  format?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  items?: Json;
  properties?: Record<string, Json>;
  required?: string[];
  propertyNames?: Json;
  additionalProperties?: Json | boolean;
  anyOf?: Json[];
  oneOf?: Json[];
}

/** Every key of a schema, in its order. A key that several kinds of an entry have is told of once, or once for each meaning. */
export function keysOf(schema: z.ZodType): ConfigKey[] {
  const json = z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    // Left out by zod where what is read is not what is written, as with a transformation.
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod;
      if (def.type === "default") jsonSchema.default ??= def.defaultValue as typeof jsonSchema.default;
    },
  });
  const merged = new Map<string, ConfigKey>();
  for (const key of nested(json as Json, "")) {
    // One entry, or a list of such.
    const id = `${key.path.replaceAll("[]", "")} ${key.description}`;
    if (!merged.has(id)) merged.set(id, key);
  }
  // Entries of one kind after those of another: what is one key stands together.
  const all = [...merged.values()];
  return all
    .filter((key, index) => all.findIndex(({ path }) => path === key.path) === index)
    .flatMap(({ path }) => all.filter((key) => key.path === path));
}

function nested(node: Json, path: string): ConfigKey[] {
  const own = Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const at = path === "" ? name : `${path}.${name}`;
    const isRequired = node.required?.includes(name) === true && child.default === undefined;
    const key: ConfigKey = {
      path: at,
      form: formOf(child),
      byDefault: isRequired ? "required" : written(child),
      description: child.description ?? "",
    };
    return [key, ...nested(child, at)];
  });
  const { items, additionalProperties: values } = node;
  return [
    ...own,
    ...(items === undefined ? [] : nested(items, `${path}[]`)),
    ...(typeof values === "object" ? nested(values, `${path}.*`) : []),
    ...(node.anyOf ?? []).flatMap((one) => nested(one, path)),
    ...kinds(node.oneOf ?? [], path),
  ];
}

/** Entries of several kinds, told apart by a key: what not all of them have says which has it. */
function kinds(nodes: readonly Json[], path: string): ConfigKey[] {
  const each = nodes.map((node) => ({ node, keys: nested(node, path) }));
  return each.flatMap(({ node, keys }) => {
    const [name, kind] =
      Object.entries(node.properties ?? {}).find(([, one]) => one.const !== undefined) ?? [];
    return keys.map((key) => {
      const isCommon = each.every((other) => other.keys.some((one) => one.path === key.path));
      return isCommon ? key : { ...key, form: `${key.form}; with \`${name}: ${String(kind?.const)}\`` };
    });
  });
}

/** The default as YAML's flow style has it. What only stands for the defaults below it is none. */
function written({ default: value, properties }: Json): string {
  if (value === undefined) return "";
  if (properties !== undefined && JSON.stringify(value) === "{}") return "";
  return flow(value);
}

function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  const pairs = Object.entries(value).map(([name, one]) => `${name}: ${flow(one)}`);
  return pairs.length === 0 ? "{}" : `{ ${pairs.join(", ")} }`;
}

function formOf(node: Json): string {
  const choices = [...(node.anyOf ?? []), ...(node.oneOf ?? [])];
  if (choices.length > 0) return [...new Set(choices.map(formOf))].join(" or ");
  if (node.const !== undefined) return `\`${String(node.const)}\``;
  if (node.enum !== undefined) return node.enum.map((one) => `\`${String(one)}\``).join(", ");
  if (node.type === "integer") return `integer${numbers(node)}`;
  if (node.type === "number") return `number${numbers(node)}`;
  if (node.type === "boolean") return "`true`, `false`";
  if (node.type === "null") return "`null`";
  if (node.type === "array") return `list${count(node)} of ${formOf(node.items ?? {})}`;
  if (node.type === "object") return node.properties === undefined ? record(node) : "mapping";
  return text(node);
}

function record({ propertyNames, additionalProperties }: Json): string {
  const values = typeof additionalProperties === "object" ? formOf(additionalProperties) : "anything";
  const names = propertyNames?.enum === undefined ? "" : ` from ${formOf(propertyNames)}`;
  return `mapping${names} to ${values}`;
}

function text({ format, pattern, minLength, maxLength }: Json): string {
  if (format === "uri") return "URL";
  if (format === "email") return "e-mail address";
  if (format === "cidrv4" || format === "cidrv6") return "network (CIDR)";
  if (pattern === "^\\/.*") return "absolute path";
  if (maxLength === undefined) return "text";
  return minLength === undefined
    ? `text, at most ${maxLength} characters`
    : `text, ${minLength} to ${maxLength} characters`;
}

function numbers({ minimum, exclusiveMinimum, maximum }: Json): string {
  const isLimit = (limit: number | undefined): limit is number =>
    limit !== undefined && Number.isFinite(limit) && Math.abs(limit) < Number.MAX_SAFE_INTEGER;
  if (isLimit(exclusiveMinimum))
    return isLimit(maximum) ? `, over ${exclusiveMinimum}, at most ${maximum}` : `, over ${exclusiveMinimum}`;
  if (isLimit(minimum)) return isLimit(maximum) ? `, ${minimum} to ${maximum}` : `, at least ${minimum}`;
  return isLimit(maximum) ? `, at most ${maximum}` : "";
}

function count({ minItems = 0, maxItems }: Json): string {
  if (maxItems === undefined) return minItems > 0 ? ` (at least ${minItems})` : "";
  return minItems > 0 ? ` (${minItems} to ${maxItems})` : ` (at most ${maxItems})`;
}
