import type { ErrorCode } from "@sallyport/core/errors.ts";
import { ApiError } from "@sallyport/core/messages/client-api.ts";
import manifest from "../../../package.json" with { type: "json" };
import type { Answer, Route } from "../api.ts";
import { statusOf } from "../error-response.ts";
import { Components, type JsonSchema } from "./components.ts";

/** Routes, and the path that stands in front of theirs. */
export interface DeclaredRoutes {
  base: string;
  routes: readonly Route[];
}

/**
 * The OpenAPI 3.1 document of these routes. `x-access` says what a route asks of its caller: `public`, `self`, or a permission;
 * `x-takes-tokens` marks `self` routes that API tokens may call; `x-rate-limited` those that count by address; `x-codes` lists
 * the codes of errors.
 */
export function openApiDocument(declared: readonly DeclaredRoutes[], url: string): JsonSchema {
  const components = new Components();
  const paths: Record<string, JsonSchema> = {};
  for (const { base, routes } of declared) {
    for (const route of routes) {
      const path = `${base}${route.path}`;
      paths[path] = { ...paths[path], [route.method]: operation(route, path, components) };
    }
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Sallyport control plane",
      version: manifest.version,
      description:
        "Who may go where, by which engagement, and what was recorded. What a caller may not see is answered as if it were not there.",
      license: { name: manifest.license, identifier: manifest.license },
    },
    servers: [{ url }],
    security: [{ bearer: [] }],
    paths,
    components: {
      schemas: components.schemas,
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          description: "The token of a sign-in (12 hours), or an API token (`spt_…`) with scopes.",
        },
      },
    },
  };
}

function operation(route: Route, path: string, components: Components): JsonSchema {
  const { method, access, summary, body } = route;
  return {
    operationId: operationId(method, path),
    summary,
    tags: [path.replace("/api/v1", "").split("/")[1] ?? ""],
    ...(access === "public" ? { security: [] } : {}),
    "x-access": access,
    ...(route.takesTokens ? { "x-takes-tokens": true } : {}),
    ...(route.limited ? { "x-rate-limited": true } : {}),
    ...parametersOf(route, components),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: !body.safeParse({}).success,
            content: { "application/json": { schema: components.schemaOf(body, "input") } },
          },
        }),
    responses: { ...answerOf(route.answer, components), ...errorsOf(route, components) },
  };
}

function parametersOf({ params, query }: Route, components: Components): { parameters?: JsonSchema[] } {
  const places = [
    { place: "path", schema: params },
    { place: "query", schema: query },
  ];
  const parameters = places.flatMap(({ place, schema }) => {
    if (schema === undefined) return [];
    const { properties = {}, required = [] } = components.schemaOf(schema, "input") as {
      properties?: Record<string, JsonSchema>;
      required?: string[];
    };
    return Object.entries(properties).map(([name, of]) => ({
      name,
      in: place,
      required: place === "path" || required.includes(name),
      schema: of,
    }));
  });
  return parameters.length === 0 ? {} : { parameters };
}

function answerOf(answer: Answer, components: Components): JsonSchema {
  const { status, description } = answer;
  if ("schema" in answer) {
    const schema = components.schemaOf(answer.schema, "output");
    return { [status]: { description, content: { "application/json": { schema } } } };
  }
  if ("type" in answer) return { [status]: { description, content: { [answer.type]: {} } } };
  return { [status]: { description } };
}

/** The codes that any route of the kind may answer, and its own. */
function codesOf({ access, params, query, body, limited, errors = [] }: Route): Set<ErrorCode> {
  const codes = new Set<ErrorCode>([...errors, "internal"]);
  if (params !== undefined || query !== undefined || body !== undefined) codes.add("message-malformed");
  if (body !== undefined) codes.add("message-too-large");
  if (limited || access !== "public") codes.add("rate-limited");
  if (access !== "public") codes.add("unauthenticated").add("forbidden");
  return codes;
}

function errorsOf(route: Route, components: Components): JsonSchema {
  const byStatus = Map.groupBy([...codesOf(route)].sort(), statusOf);
  const schema = components.schemaOf(ApiError, "output");
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      {
        description: `Refused or failed: ${codes.join(", ")}.`,
        "x-codes": codes,
        content: { "application/json": { schema } },
      },
    ]),
  );
}

/** `GET /sessions/{id}/recording` is `getSessionsByIdRecording`. */
function operationId(method: string, path: string): string {
  const words = path
    .replace("/api/v1", "")
    .replaceAll(/\{(\w+)\}/g, "by-$1")
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== "");
  return `${method}${words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("")}`;
}
