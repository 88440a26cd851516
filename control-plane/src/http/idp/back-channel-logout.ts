import { isSallyportError } from "@sallyport/core/errors.ts";
import type { Context, Hono } from "hono";
import { seconds } from "../../environment.ts";
import { logOut } from "../../logout/back-channel-logout.ts";
import { verifyLogoutToken } from "../../logout/logout-token.ts";
import { NoticeRefused } from "../../logout/notice-refused.ts";
import { announce } from "../../revocations/announce.ts";
import { limitedText } from "../json-body.ts";
import type { AppEnv, Services } from "../services.ts";
import { NoticeDesk } from "./notice-desk.ts";

const PATH = "/backchannel-logout";
const MAX_BODY = 64 * 1024;

/** OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.8: the IdP has signed somebody out. */
export function backChannelLogoutRoute(app: Hono<AppEnv>, services: Services): void {
  const desk = new NoticeDesk(services, "back-channel logout");
  const { db, environment, config, issuerKeys } = services;
  app.post(PATH, (context) => {
    context.set("route", PATH);
    const handle = async () => {
      const compact = logoutTokenOf(context, await bodyOf(context));
      const notice = await verifyLogoutToken(compact, {
        issuers: config.issuers,
        now: seconds(environment.clock),
        keys: async (issuer, kid) => {
          await issuerKeys.ready(issuer, kid);
          return issuerKeys.known(issuer);
        },
      });
      desk.admit(notice.issuer.issuer);
      announce(services, await logOut({ db, environment }, notice));
      return context.body(null, 200);
    };
    return desk.serve(context, handle, ({ status, error, message }) =>
      context.json({ error, error_description: message }, status),
    );
  });
}

async function bodyOf(context: Context<AppEnv>): Promise<string> {
  try {
    return await limitedText(context, MAX_BODY);
  } catch (error) {
    throw isSallyportError(error) ? invalid(error.message) : error;
  }
}

/** The one `logout_token` of the form; what else is in it does not count (§2.5). */
function logoutTokenOf(context: Context<AppEnv>, body: string): string {
  if (!/^application\/x-www-form-urlencoded *(;|$)/i.test(context.req.header("content-type") ?? ""))
    throw invalid("The body must be application/x-www-form-urlencoded.");
  const [token, ...more] = new URLSearchParams(body).getAll("logout_token");
  if (token === undefined || more.length > 0) throw invalid("The body needs one logout_token.");
  return token;
}

function invalid(sentence: string): NoticeRefused {
  return new NoticeRefused(400, "invalid_request", sentence);
}
