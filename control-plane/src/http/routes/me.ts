import { LastRefusal, Me, SignOutQuery } from "@sallyport/core/messages/client-api.ts";
import { requestBehindRefusal } from "../../approvals/views.ts";
import { audit } from "../../audit/audit.ts";
import { endRenewal } from "../../checks/end-renewal.ts";
import { deleteApiToken } from "../../database/api-tokens.ts";
import { lastRefusal } from "../../database/host-events.ts";
import { inTransaction } from "../../database/open-database.ts";
import { seconds } from "../../environment.ts";
import { describeMe } from "../../people/describe-me.ts";
import type { Api } from "../api.ts";
import { actorName } from "../caller.ts";
import type { Services } from "../services.ts";

/** What the signed-in person is and may do; also open to those whose access was revoked. */
export function meRoutes(api: Api, { db, environment, checks }: Services): void {
  api.add(
    {
      method: "get",
      path: "/me",
      access: "self",
      takesTokens: true,
      summary: "Who is signed in, and what hangs on it",
      answer: { status: 200, schema: Me, description: "The signed-in person." },
    },
    ({ caller }) => describeMe(db, seconds(environment.clock), caller),
  );

  api.add(
    {
      method: "get",
      path: "/me/refusal",
      access: "self",
      summary: "The last login of mine that a host refused",
      answer: { status: 200, schema: LastRefusal, description: "The refusal, or null." },
    },
    async ({ caller }): Promise<LastRefusal> => {
      const last = await lastRefusal(db, caller.issuer, caller.subject);
      const refusal = last && {
        at: last.event.at / 1000,
        host: last.host,
        account: last.event.account ?? "",
        code: last.event.code ?? "unknown",
        told: last.event.told,
        detail: last.event.detail,
        request: await requestBehindRefusal(db, caller.member?.id, last.event, seconds(environment.clock)),
      };
      return { refusal: refusal ?? null };
    },
  );

  api.add(
    {
      method: "delete",
      path: "/token",
      access: "self",
      takesTokens: true,
      summary:
        "Sign out: makes the token of this request worthless, and with `key` ends the renewal of that sign-in",
      query: SignOutQuery,
      answer: { status: 204, description: "Signed out." },
    },
    async ({ caller, query }) => {
      const { issuer, subject } = caller;
      const isOver = await inTransaction(db, async (db) => {
        await deleteApiToken(db, caller.tokenHash);
        const data = { subject, ...query };
        await audit(db, environment, { type: "signed-out", actor: actorName(caller), data });
        if (query.key === undefined || caller.tokenKind !== "sign-in") return false;
        return endRenewal(db, environment, { issuer, subject, keyFingerprint: query.key });
      });
      if (isOver && query.key !== undefined) await checks.forget(query.key);
    },
  );
}
