import type { Context } from "hono";
import { badRequest, ScimError } from "../../scim/scim-error.ts";
import { limitedText } from "../json-body.ts";

const MAX_BODY = 256 * 1024;

/** The JSON of a request. Throws a `ScimError`: 415 for another type, `invalidSyntax`; code `message-too-large`. */
export async function scimBody(context: Context): Promise<unknown> {
  const type = context.req.header("content-type") ?? "";
  if (!/^application\/(?:scim\+)?json *(?:;|$)/i.test(type))
    throw new ScimError(415, undefined, "The body must be application/scim+json or application/json.");
  const text = await limitedText(context, MAX_BODY);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ScimError(400, "invalidSyntax", "The body is not JSON.", { cause });
  }
}

/** The JSON of `POST …/.search` (RFC 7644 §3.4.3). Throws a `ScimError`. */
export async function searchBody(context: Context): Promise<Record<string, unknown>> {
  const body = await scimBody(context);
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw badRequest("invalidSyntax", "The body must be a JSON object.");
  return body as Record<string, unknown>;
}
