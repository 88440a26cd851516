import { MAX_POLICY, PolicyRequest, PolicyResponse } from "@sallyport/core/messages/policy.ts";
import { applyPolicy, hasChanges } from "../../policy/apply-policy.ts";
import type { Api } from "../api.ts";
import { actorName } from "../caller.ts";
import { publish } from "../publish.ts";
import type { Services } from "../services.ts";

/** Applying a policy file that is kept elsewhere, as in git. */
export function policyRoutes(api: Api, services: Services): void {
  const { db, environment, config } = services;
  api.add(
    {
      method: "post",
      path: "/policy",
      access: "engagements:write",
      summary: "Apply a policy file, all of it or nothing; or say what that would change",
      body: PolicyRequest,
      // JSON may write a character of the text in six.
      maxBody: MAX_POLICY + MAX_POLICY / 8,
      answer: { status: 200, schema: PolicyResponse, description: "What changed, or would change." },
      errors: ["config-invalid", "conflict", "message-too-large"],
    },
    async ({ body, caller }): Promise<PolicyResponse> => {
      const { text, file, reason, dryRun } = body;
      const { invitationLifetime } = config;
      const source = { text, file, dryRun, by: actorName(caller), why: reason, invitationLifetime };
      const changes = await applyPolicy(db, environment, source);
      const hosts = !dryRun && hasChanges(changes) ? await publish(services) : [];
      return { ...changes, dryRun, hosts };
    },
  );
}
