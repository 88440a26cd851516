import { IssuerView } from "@sallyport/core/messages/issuers.ts";
import { z } from "zod";
import { issuerViews } from "../../checks/issuer-views.ts";
import type { Api } from "../api.ts";
import type { Services } from "../services.ts";

/** How it stands with the IdPs, for whoever watches the control plane. */
export function issuerRoutes(api: Api, services: Services): void {
  api.add(
    {
      method: "get",
      path: "/issuers",
      access: "metrics:read",
      summary: "The IdPs: whether they answer about people, and what comes from them",
      answer: { status: 200, schema: z.array(IssuerView), description: "In the configuration's order." },
    },
    () => issuerViews(services, services.environment.clock()),
  );
}
