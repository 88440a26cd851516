import type { LastRefusal } from "@sallyport/core/messages/client-api.ts";
import type { Hono } from "hono";
import { audit } from "../../audit/audit.ts";
import { deleteApiToken } from "../../database/api-tokens.ts";
import { lastRefusal } from "../../database/host-events.ts";
import { seconds } from "../../environment.ts";
import { describeMe } from "../../people/describe-me.ts";
import { requires } from "../access.ts";
import { actorName } from "../caller.ts";
import type { AppEnv, Services } from "../services.ts";

/** What the signed-in person is and may do; also open to those whose access was revoked. */
export function meRoutes(app: Hono<AppEnv>, services: Services): void {
  const { db, environment } = services;
  const self = requires("self", services);

  app.get("/me", self, async (context) =>
    context.json(await describeMe(db, seconds(environment.clock), context.get("caller"))),
  );

  app.get("/me/refusal", self, async (context) => {
    const { issuer, subject } = context.get("caller");
    const last = await lastRefusal(db, issuer, subject);
    const refusal = last && {
      at: last.event.at / 1000,
      host: last.host,
      account: last.event.account ?? "",
      code: last.event.code ?? "unknown",
      told: last.event.told,
      detail: last.event.detail,
    };
    const answer: LastRefusal = { refusal: refusal ?? null };
    return context.json(answer);
  });

  app.delete("/token", self, async (context) => {
    const caller = context.get("caller");
    await deleteApiToken(db, caller.tokenHash);
    await audit(db, environment, {
      type: "signed-out",
      actor: actorName(caller),
      data: { subject: caller.subject },
    });
    return context.body(null, 204);
  });
}
