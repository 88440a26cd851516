import { z } from "zod";
import type { Api } from "../api.ts";
import { Readiness } from "../readiness.ts";
import type { Services } from "../services.ts";

const Ok = z.object({ status: z.literal("ok") });

/** What watches the control plane asks. These stand outside `/api/v1`. */
export function healthRoutes(api: Api, services: Services): void {
  const readiness = new Readiness(services);

  api.add(
    {
      method: "get",
      path: "/healthz",
      access: "public",
      summary: "Whether the process answers",
      answer: { status: 200, schema: Ok, description: "It does." },
    },
    () => ({ status: "ok" }),
  );

  api.add(
    {
      method: "get",
      path: "/readyz",
      access: "public",
      summary: "Whether database, keys and the place for recordings are there",
      answer: { status: 200, schema: Ok, description: "They are." },
      errors: ["not-ready"],
    },
    async () => {
      await readiness.check();
      return { status: "ok" };
    },
  );

  api.add(
    {
      method: "get",
      path: "/metrics",
      access: "metrics:read",
      summary: "Metrics, for Prometheus",
      answer: { status: 200, type: "text/plain", description: "Prometheus' text format, version 0.0.4." },
    },
    async ({ context }) =>
      context.body(await services.metrics.text(), 200, {
        "content-type": services.metrics.registry.contentType,
      }),
  );
}
