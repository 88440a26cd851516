import { isSallyportError } from "@sallyport/core/errors.ts";
import { SessionSummary } from "@sallyport/core/messages/client-api.ts";
import type { Context } from "hono";
import { z } from "zod";
import { audit } from "../audit/audit.ts";
import { listSessions } from "../database/sessions.ts";
import { checkAccess } from "../http/access.ts";
import type { Api } from "../http/api.ts";
import { actorName, type Caller } from "../http/caller.ts";
import { limitKey } from "../http/client-address.ts";
import type { Services } from "../http/services.ts";
import { sightOf } from "../http/sight.ts";
import { EXPORT_COST, storageOf, visibleRecording, visibleSessions } from "../http/visible-recordings.ts";
import type { Permission } from "../people/permissions.ts";
import { asStream, exportedFrames } from "../recordings/recording-streams.ts";
import { eventsOf } from "../recordings/session-events.ts";
import { storedFrames } from "../recordings/stored-blocks.ts";
import { PAGE_POLICY, pageAssets } from "./assets.ts";
import { checkFetchSite, checkOrigin, WebCookie } from "./web-guard.ts";
import { beginWebSession, endWebSession, type WebSession, webSession } from "./web-session.ts";

const CodeBody = z.strictObject({ code: z.string().min(1).max(128) });

const WhoAnswer = z.object({ name: z.string(), roles: z.array(z.string()), expiresAt: z.int() });

const ListQuery = z.object({
  before: z.string().max(64).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});

const ById = z.object({ id: z.string().max(64) });

/**
 * The page that lists sessions and plays one. Its files are for anybody; what is in it comes with the cookie of a browser that
 * was signed in by `sallyport web`, and is what the same person may see through the API. Nothing here changes anything but
 * that sign-in.
 */
export function webRoutes(api: Api, services: Services): void {
  const { db, environment, config } = services;
  const cookie = new WebCookie(config.url);
  const signedIn = async (context: Context, address: string, cost = 1): Promise<WebSession> => {
    checkFetchSite(context);
    const session = await webSession(services, cookie.read(context)).catch((error: unknown) => {
      if (isSallyportError(error, "unauthenticated")) services.failureLimit.take(limitKey(address));
      throw error;
    });
    const { issuer, subject } = session.caller;
    services.callerLimit.take(JSON.stringify([issuer, subject]), cost);
    return session;
  };
  const allowed = async (
    context: Context,
    address: string,
    permission: Permission,
    cost = 1,
  ): Promise<Caller> => {
    const { caller } = await signedIn(context, address, cost);
    checkAccess(caller, permission);
    return caller;
  };

  for (const { path, type, body } of pageAssets()) {
    api.add(
      {
        method: "get",
        path,
        access: "public",
        summary: "A file of the page",
        answer: { status: 200, type, description: "The file." },
      },
      ({ context }) =>
        context.body(body, 200, { "content-type": type, "content-security-policy": PAGE_POLICY }),
    );
  }

  api.add(
    {
      method: "post",
      path: "/session",
      access: "public",
      limited: true,
      summary: "Sign this browser in with a code",
      body: CodeBody,
      answer: { status: 204, description: "Signed in; there is a cookie." },
    },
    async ({ context, body, address }) => {
      checkOrigin(context, config.url);
      const begun = await beginWebSession(services, body.code, cookie.read(context), address);
      cookie.set(context, begun.cookie, begun.lifetime);
    },
  );

  api.add(
    {
      method: "get",
      path: "/session",
      access: "public",
      summary: "Who is signed in in this browser",
      answer: { status: 200, schema: WhoAnswer, description: "The person, and until when." },
    },
    async ({ context, address }) => {
      const { caller, expiresAt } = await signedIn(context, address);
      return { name: actorName(caller), roles: caller.roles, expiresAt };
    },
  );

  api.add(
    {
      method: "delete",
      path: "/session",
      access: "public",
      limited: true,
      summary: "Sign this browser out",
      answer: { status: 204, description: "Signed out." },
    },
    async ({ context }) => {
      checkOrigin(context, config.url);
      const value = cookie.read(context);
      if (value !== undefined) await endWebSession(services, value);
      cookie.set(context, "", 0);
    },
  );

  api.add(
    {
      method: "get",
      path: "/sessions",
      access: "public",
      summary: "Sessions, newest first",
      query: ListQuery,
      answer: { status: 200, schema: z.array(SessionSummary), description: "Those that the person may see." },
    },
    async ({ context, address, query }) => {
      const caller = await allowed(context, address, "sessions:read");
      const visible = await visibleSessions(services, sightOf(caller, "sessions:read"));
      return listSessions(db, { ...query, visible });
    },
  );

  api.add(
    {
      method: "get",
      path: "/sessions/{id}/cast",
      access: "public",
      summary: "A recording for the player: asciicast v3 with what the host told as markers",
      params: ById,
      answer: { status: 200, type: "application/x-asciicast", description: "The recording." },
    },
    async ({ context, address, params }) => {
      const caller = await allowed(context, address, "recordings:read", EXPORT_COST);
      const recording = await visibleRecording(services, params.id, caller);
      const { session, stored, name } = recording;
      const frames = storedFrames(storageOf(services, recording), name, stored.length);
      const { markers } = await eventsOf(db, session, name.hostId);
      const data = { session: session.id, through: "web page" };
      await audit(db, environment, { type: "recording-viewed", actor: actorName(caller), data });
      return context.body(asStream(exportedFrames(frames, "asciicast-v3", markers)), 200, {
        "content-type": "application/x-asciicast",
      });
    },
  );
}
