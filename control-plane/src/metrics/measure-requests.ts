import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "../http/services.ts";
import type { Metrics } from "./metrics.ts";

/** Tells the metrics of every request: the route as declared, never the path as sent. */
export function measureRequests(metrics: Metrics): MiddlewareHandler<AppEnv> {
  return async (context, next) => {
    const begun = performance.now();
    await next();
    const labels = {
      route: context.get("route") ?? "none",
      method: context.req.method,
      status: context.res.status,
    };
    metrics.answered(labels, (performance.now() - begun) / 1000);
  };
}
