import { SallyportError } from "@sallyport/core/errors.ts";
import type { Context } from "hono";
import type { z } from "zod";

/** Most bytes of a request's body. */
export const MAX_BODY = 256 * 1024;

/** The body of a request, parsed with its schema. Code `message-malformed`; an empty body counts as `{}`. */
export async function jsonBody<T>(context: Context, schema: z.ZodType<T>): Promise<T> {
  const text = await context.req.text();
  const type = context.req.header("content-type") ?? "application/json";
  if (!/^application\/json(;|$)/i.test(type)) {
    throw new SallyportError(
      "message-malformed",
      "The body must be JSON, with content-type application/json.",
    );
  }
  let json: unknown;
  try {
    json = text === "" ? {} : JSON.parse(text);
  } catch (cause) {
    throw new SallyportError("message-malformed", "The body is not JSON.", { cause });
  }
  return parseInput(json, schema, "body");
}

/** The query of a request, parsed with its schema. Code `message-malformed`. */
export function query<T>(context: Context, schema: z.ZodType<T>): T {
  return parseInput(context.req.query(), schema, "query");
}

function parseInput<T>(value: unknown, schema: z.ZodType<T>, name: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue?.path.join(".") || "its top";
  throw new SallyportError(
    "message-malformed",
    `The ${name} has the wrong shape at ${where}: ${issue?.message}.`,
    {
      cause: result.error,
    },
  );
}
