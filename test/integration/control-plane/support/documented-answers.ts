import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

interface Operation {
  "x-access": string;
  "x-takes-tokens"?: true;
  responses: Record<string, { content?: Record<string, { schema?: object }> }>;
}

/** The OpenAPI document, as far as tests read it. */
export interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}

/** A route as the document has it. */
export interface DocumentedRoute {
  method: string;
  path: string;
  access: string;
  takesTokens: boolean;
  /** The status when all goes well. */
  success: number;
  operation: Operation;
}

/** Every route of a document. */
export function documentedRoutes({ paths }: Document): DocumentedRoute[] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      access: operation["x-access"],
      takesTokens: operation["x-takes-tokens"] === true,
      success: Number(Object.keys(operation.responses).find((status) => status.startsWith("2"))),
      operation,
    })),
  );
}

/** Compares answers with what the document says of them; objects may have nothing that it does not name. */
export class DocumentedAnswers {
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #checks = new Map<string, ValidateFunction>();

  constructor(document: Document) {
    addFormats.default(this.#ajv);
    this.#ajv.addSchema(closed({ $id: "document", components: document.components }));
  }

  /** What is wrong with an answer: undocumented status, wrong shape, or a key that the document does not have. */
  problemsOf(
    { method, path, operation }: DocumentedRoute,
    answer: { status: number; body: unknown },
  ): string[] {
    const documented = operation.responses[answer.status];
    if (documented === undefined) return [`${answer.status} is not documented`];
    const schema = documented.content?.["application/json"]?.schema;
    if (schema === undefined) return [];
    const key = `${method} ${path} ${answer.status}`;
    const check = this.#checks.get(key) ?? this.#ajv.compile(pointed(closed(schema)));
    this.#checks.set(key, check);
    return check(answer.body)
      ? []
      : (check.errors ?? []).map(
          (error) => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`,
        );
  }
}

/** References from outside the document lead into it. */
function pointed(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"document#/components/'));
}

/** The same schema, for which an object has no more keys than it names. */
function closed(schema: object): object {
  return JSON.parse(JSON.stringify(schema), (_key, part: unknown) => {
    const isClosable =
      typeof part === "object" &&
      part !== null &&
      "type" in part &&
      part.type === "object" &&
      "properties" in part;
    return isClosable && !("additionalProperties" in part) ? { ...part, additionalProperties: false } : part;
  });
}
