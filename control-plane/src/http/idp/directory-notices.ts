import { isSallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Context, Hono } from "hono";
import { z } from "zod";
import { readGraphNotices } from "../../directory-notices/graph-notices.ts";
import { NoticeSecrets } from "../../directory-notices/notice-secrets.ts";
import { PlainText } from "../../logout/idp-jwt.ts";
import { NoticeRefused } from "../../logout/notice-refused.ts";
import { limitedText } from "../json-body.ts";
import type { AppEnv, Services } from "../services.ts";
import { NoticeDesk } from "./notice-desk.ts";

const GRAPH = "/directory-notices/entra";
const GOOGLE = "/directory-notices/google";
const MAX_BODY = 1024 * 1024;
const MAX_VALIDATION_TOKEN = 4096;

/**
 * Where directories tell that something has changed about somebody. A notice proves nothing, so it revokes nothing: it has the IdP asked at
 * once, and that answer counts. Both are answered before anything is asked: Graph waits 3 s at most.
 */
export function directoryNoticeRoutes(app: Hono<AppEnv>, services: Services): void {
  const secrets = new NoticeSecrets(services.config.issuers);
  if (secrets.isEmpty) return;
  graphRoute(app, services, secrets);
  googleRoute(app, services, secrets);
}

/** Change notifications of Microsoft Graph, and the handshake that comes before a subscription is made. */
function graphRoute(app: Hono<AppEnv>, services: Services, secrets: NoticeSecrets): void {
  const desk = new NoticeDesk(services, "Microsoft Graph change notification");
  const { environment, hints } = services;
  app.post(GRAPH, (context) => {
    context.set("route", GRAPH);
    const handle = async () => {
      const token = context.req.query("validationToken");
      if (token !== undefined) return validated(context, token);
      const notices = readGraphNotices(await jsonOf(context));
      if (notices === undefined) throw refused(400, "The body is no collection of change notifications.");
      let known = 0;
      for (const { clientState, user, lifecycleEvent } of notices) {
        const issuer = secrets.issuerOf(clientState);
        if (issuer === undefined) continue;
        known += 1;
        desk.admit(issuer);
        if (lifecycleEvent !== undefined)
          environment.log.warn("Microsoft Graph says that a subscription for users needs a look", {
            issuer,
            event: printable(lifecycleEvent, 64),
          });
        else if (user !== undefined) hints.hint(issuer, user);
      }
      if (known === 0) throw refused(401, "No notification has a clientState that is known here.");
      return context.body(null, 202);
    };
    return desk.serve(context, handle, ({ status, error, message }) =>
      context.json({ error: { code: error, message } }, status),
    );
  });
}

/** Graph wants to read back what it sent, as text. */
function validated(context: Context<AppEnv>, token: string): Response {
  if (token.length > MAX_VALIDATION_TOKEN || !/^[^\p{Cc}]+$/u.test(token))
    throw refused(400, "This is no validationToken.");
  return context.text(token, 200);
}

const GoogleUser = z.looseObject({ id: PlainText(255) });

/** Push notifications of Google's Directory API about users. */
function googleRoute(app: Hono<AppEnv>, services: Services, secrets: NoticeSecrets): void {
  const desk = new NoticeDesk(services, "Google Directory notification");
  app.post(GOOGLE, (context) => {
    context.set("route", GOOGLE);
    const handle = async () => {
      const issuer = secrets.issuerOf(context.req.header("x-goog-channel-token") ?? "");
      if (issuer === undefined) throw refused(401, "The channel's token is not known here.");
      desk.admit(issuer);
      // The first message of a channel only says that it is there.
      if (context.req.header("x-goog-resource-state") === "sync") return context.body(null, 204);
      const user = GoogleUser.safeParse(await jsonOf(context));
      if (!user.success) throw refused(400, "The body names no user by id.");
      services.hints.hint(issuer, user.data.id);
      return context.body(null, 204);
    };
    return desk.serve(context, handle, ({ status, error, message }) =>
      context.json({ error: { code: status, status: error, message } }, status),
    );
  });
}

async function jsonOf(context: Context<AppEnv>): Promise<unknown> {
  const text = await limitedText(context, MAX_BODY).catch((error: unknown) => {
    throw isSallyportError(error) ? refused(400, error.message) : error;
  });
  try {
    return JSON.parse(text);
  } catch {
    throw refused(400, "The body is not JSON.");
  }
}

function refused(status: 400 | 401, sentence: string): NoticeRefused {
  return new NoticeRefused(status, status === 401 ? "unauthenticated" : "invalid_request", sentence);
}
