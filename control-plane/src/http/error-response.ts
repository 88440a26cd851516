import { type ErrorCode, isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Log } from "../environment.ts";
import { errorFields } from "../log.ts";

/** HTTP status of each code that a route may answer; all others are our own fault. */
const STATUS: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  "message-malformed": 400,
  "message-version": 400,
  "config-invalid": 400,
  "binding-invalid": 400,
  "challenge-unknown": 400,
  "proof-invalid": 400,
  "token-invalid": 400,
  "issuer-unknown": 400,
  "ssh-malformed": 400,
  "ssh-unsupported": 400,
  unauthenticated: 401,
  forbidden: 403,
  "not-invited": 403,
  "no-longer-vouched": 403,
  "not-found": 404,
  conflict: 409,
  "recording-deleted": 410,
  "message-too-large": 413,
  "rate-limited": 429,
  "issuer-unreachable": 503,
  "key-unavailable": 503,
  "not-ready": 503,
};

/** The HTTP status that an error of this code is answered with. */
export function statusOf(code: ErrorCode): ContentfulStatusCode {
  return STATUS[code] ?? 500;
}

/** The one place where errors become responses. What is our fault is logged, and its detail stays here. */
export function errorResponse(error: unknown, context: Context, log: Log): Response {
  const status = isSallyportError(error) ? STATUS[error.code] : undefined;
  if (isSallyportError(error) && status !== undefined) {
    if (status === 401) context.header("www-authenticate", "Bearer");
    if (status === 429) context.header("retry-after", "60");
    return context.json({ error: { code: error.code, message: error.message.slice(0, 2000) } }, status);
  }
  log.error("request failed", { method: context.req.method, path: context.req.path, ...errorFields(error) });
  const message = "The control plane ran into an error of its own. Its log says more; try again in a minute.";
  return context.json({ error: { code: "internal", message } }, 500);
}

/** The answer for a path that is not there. */
export function noSuchPath(): SallyportError {
  return new SallyportError("not-found", "There is nothing at this address. The API is under /api/v1.");
}
