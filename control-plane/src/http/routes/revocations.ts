import { RevocationRequest } from "@sallyport/core/messages/client-api.ts";
import type { Hono } from "hono";
import { revoke } from "../../revocations/revoke.ts";
import { requires } from "../access.ts";
import { actorName } from "../caller.ts";
import { jsonBody } from "../json-body.ts";
import type { AppEnv, Services } from "../services.ts";

/** Revocations: for admins. */
export function revocationRoutes(app: Hono<AppEnv>, services: Services): void {
  app.post("/revocations", requires("admin", services), async (context) => {
    const request = await jsonBody(context, RevocationRequest);
    return context.json(await revoke(services, request, actorName(context.get("caller"))), 201);
  });
}
