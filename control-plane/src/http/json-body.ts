import { SallyportError } from "@sallyport/core/errors.ts";
import type { Context } from "hono";
import type { z } from "zod";

/** Most bytes of a request's body, where its route does not say otherwise. */
const MAX_BODY = 256 * 1024;

/**
 * The body of a request, parsed with its schema; an empty one counts as `{}`. Codes `message-malformed`,
 * `message-too-large`. Routes that want no body never read one.
 */
export async function jsonBody<T>(context: Context, schema: z.ZodType<T>, maxBytes = MAX_BODY): Promise<T> {
  const type = context.req.header("content-type") ?? "application/json";
  if (!/^application\/json(;|$)/i.test(type)) {
    throw new SallyportError(
      "message-malformed",
      "The body must be JSON, with content-type application/json.",
    );
  }
  const text = await limitedText(context, maxBytes);
  let json: unknown;
  try {
    json = text === "" ? {} : JSON.parse(text);
  } catch (cause) {
    throw new SallyportError("message-malformed", "The body is not JSON.", { cause });
  }
  return parseInput(json, schema, "body");
}

/** The body of a request as text, whatever it is. Code `message-too-large`. */
export async function limitedText(context: Context, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = Number(context.req.header("content-length") ?? 0);
  if (size <= maxBytes) {
    size = 0;
    for await (const chunk of context.req.raw.body ?? []) {
      size += chunk.length;
      if (size > maxBytes) break;
      chunks.push(chunk);
    }
  }
  if (size <= maxBytes) return Buffer.concat(chunks).toString("utf8");
  // The rest of the body is not read, so nothing else can come over this connection.
  context.header("connection", "close");
  throw new SallyportError("message-too-large", `The body of a request has at most ${maxBytes / 1024} KiB.`);
}

/** A part of a request, parsed with its schema; without a schema it is left as it is. Code `message-malformed`. */
export function parseInput<T>(value: unknown, schema: z.ZodType<T> | undefined, name: string): T {
  if (schema === undefined) return value as T;
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
