import { RevocationRequest, RevocationResponse } from "@sallyport/core/messages/client-api.ts";
import { revoke } from "../../revocations/revoke.ts";
import type { Api } from "../api.ts";
import { actorName } from "../caller.ts";
import type { Services } from "../services.ts";

/** Revocations: for admins. */
export function revocationRoutes(api: Api, services: Services): void {
  api.add(
    {
      method: "post",
      path: "/revocations",
      access: "revocations:write",
      summary: "Revoke access, and end the sessions that hang on it",
      body: RevocationRequest,
      answer: {
        status: 201,
        schema: RevocationResponse,
        description: "Which hosts have it, and what it ended.",
      },
      errors: ["not-found", "conflict"],
    },
    ({ body, caller }) => revoke(services, body, actorName(caller)),
  );
}
