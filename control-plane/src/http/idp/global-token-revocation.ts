import { isSallyportError } from "@sallyport/core/errors.ts";
import type { Context, Hono } from "hono";
import { seconds } from "../../environment.ts";
import { readSubjectId, revokeGlobally } from "../../logout/global-token-revocation.ts";
import { NoticeRefused } from "../../logout/notice-refused.ts";
import { type RevocationAssertion, verifyAssertion } from "../../logout/revocation-assertion.ts";
import { announce } from "../../revocations/announce.ts";
import { parseUniqueJson } from "../../security-events/unique-json.ts";
import { limitedText } from "../json-body.ts";
import type { AppEnv, Services } from "../services.ts";
import { NoticeDesk } from "./notice-desk.ts";

const PATH = "/global-token-revocation";
const MAX_BODY = 64 * 1024;

/** Global Token Revocation (draft-parecki-oauth-global-token-revocation), as Okta's Universal Logout sends it. */
export function globalTokenRevocationRoute(app: Hono<AppEnv>, services: Services): void {
  const { db, environment, config, revocationKeys } = services;
  if (config.issuers.every((issuer) => issuer.globalTokenRevocation === undefined)) return;
  const desk = new NoticeDesk(services, "global token revocation");
  app.post(PATH, (context) => {
    context.set("route", PATH);
    const handle = async () => {
      const asked = await verifyAssertion(context.req.header("authorization"), {
        issuers: config.issuers,
        endpoint: `${config.url}${PATH}`,
        now: seconds(environment.clock),
        keysFor: (issuer, kid) => revocationKeys.keysFor(issuer, kid),
      });
      desk.admit(asked.issuer.issuer);
      const subjectId = readSubjectId(await jsonOf(context, asked), asked);
      announce(services, await revokeGlobally({ db, environment }, asked, subjectId));
      return context.body(null, 204);
    };
    return desk.serve(context, handle, ({ status, error, message }) => {
      if (status === 401) context.header("www-authenticate", `Bearer error="${error}"`);
      return context.json({ error, error_description: message }, status);
    });
  });
}

async function jsonOf(context: Context<AppEnv>, { issuer, jti }: RevocationAssertion): Promise<unknown> {
  const refused = (status: 400 | 415, sentence: string, cause?: unknown) =>
    new NoticeRefused(status, "invalid_request", sentence, {
      cause,
      signedBy: { issuer: issuer.issuer, jti },
    });
  if (!/^application\/json *(;|$)/i.test(context.req.header("content-type") ?? ""))
    throw refused(415, "The body must be application/json.");
  const text = await limitedText(context, MAX_BODY).catch((error: unknown) => {
    throw isSallyportError(error) ? refused(400, error.message, error) : error;
  });
  try {
    return parseUniqueJson(Buffer.from(text));
  } catch (cause) {
    throw refused(400, "The body is not JSON with each member once.", cause);
  }
}
