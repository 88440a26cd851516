import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { ScimIssuer } from "../../scim/scim-issuer.ts";
import type { AppEnv } from "../services.ts";

/** A request whose bearer token is good. */
export interface ScimCall {
  context: Context<AppEnv>;
  idp: ScimIssuer;
  /** Address of `/scim/v2`. */
  base: string;
  /** Counts as so many requests. Code `rate-limited`. */
  costs(requests: number): void;
}

/** Adds a route that only IdPs may call, and that answers errors as RFC 7644 §3.12 has them. */
export type AddScimRoute = (
  method: string,
  path: string,
  handle: (call: ScimCall) => Promise<Response> | Response,
) => void;

/** An answer in the form that was asked for. */
export function scimAnswer(
  context: Context,
  body: object,
  { status = 200, headers = {} }: { status?: ContentfulStatusCode; headers?: Record<string, string> } = {},
): Response {
  const accept = (context.req.header("accept") ?? "").toLowerCase();
  const isPlain = accept.includes("application/json") && !accept.includes("application/scim+json");
  const type = isPlain ? "application/json" : "application/scim+json";
  return context.body(JSON.stringify(body), status, { ...headers, "content-type": `${type}; charset=utf-8` });
}
