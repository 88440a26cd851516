import type { MiddlewareHandler } from "hono";

/** Headers on every answer: nothing is cached, framed, sniffed, or allowed to run. */
export function strictHeaders(url: string): MiddlewareHandler {
  const isHttps = url.startsWith("https:");
  return async (context, next) => {
    await next();
    const { headers } = context.res;
    headers.set("cache-control", "no-store");
    headers.set("x-content-type-options", "nosniff");
    headers.set("x-frame-options", "DENY");
    headers.set("referrer-policy", "no-referrer");
    headers.set("cross-origin-resource-policy", "same-origin");
    headers.set("cross-origin-opener-policy", "same-origin");
    // A page that needs more says so itself, and says what.
    if (!headers.has("content-security-policy"))
      headers.set(
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      );
    if (isHttps) headers.set("strict-transport-security", "max-age=31536000");
  };
}
