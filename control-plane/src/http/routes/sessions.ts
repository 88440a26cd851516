import { SallyportError } from "@sallyport/core/errors.ts";
import type { SessionSummary } from "@sallyport/core/messages/client-api.ts";
import { EXPORT_FORMATS } from "@sallyport/core/recording/export.ts";
import type { Context, Hono } from "hono";
import { z } from "zod";
import { audit } from "../../audit/audit.ts";
import { hostById } from "../../database/hosts.ts";
import { recordingPosition } from "../../database/recordings.ts";
import { listSessions, sessionById } from "../../database/sessions.ts";
import { recordingFile } from "../../recordings/recording-files.ts";
import { exportStream, recordingStream } from "../../recordings/recording-streams.ts";
import { resolveMember } from "../../revocations/resolve-target.ts";
import { requires, seesAll } from "../access.ts";
import { actorName, type Caller } from "../caller.ts";
import { query } from "../json-body.ts";
import type { AppEnv, Services } from "../services.ts";
import { loggedRecording } from "./recording-inclusion.ts";

const ListQuery = z.object({
  state: z.enum(["live", "ended"]).optional(),
  /** Id, e-mail or name. */
  member: z.string().max(500).optional(),
  host: z.string().max(253).optional(),
  before: z.string().max(64).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});

const ExportQuery = z.object({ format: z.enum(EXPORT_FORMATS).default("asciicast-v2") });

/** Sessions and their recordings. A contractor sees their own, and others' are as if they were not there. */
export function sessionRoutes(app: Hono<AppEnv>, services: Services): void {
  const { db, environment } = services;
  const anybody = requires("member-or-staff", services);

  app.get("/sessions", anybody, async (context) => {
    const { member, ...filter } = query(context, ListQuery);
    const caller = context.get("caller");
    const wanted = member === undefined ? undefined : await memberIdOrNone(services, member);
    const memberIds = visibleMembers(caller, wanted);
    return context.json(await listSessions(db, { ...filter, memberIds }));
  });

  app.get("/sessions/:id", anybody, async (context) => context.json(await visibleSession(services, context)));

  app.get("/sessions/:id/recording", anybody, async (context) => {
    const { session, stored, hostKey, file } = await visibleRecording(services, context);
    await audit(db, environment, {
      type: "recording-viewed",
      actor: actorName(context.get("caller")),
      data: { session: session.id },
    });
    return context.body(recordingStream(file, stored.length), 200, {
      "content-type": "application/vnd.sallyport.recording",
      "content-length": String(stored.length),
      "x-sallyport-host-key": hostKey,
      "x-sallyport-complete": stored.complete === 1 ? "true" : "false",
    });
  });

  app.get("/sessions/:id/inclusion", anybody, async (context) => {
    const { stored } = await visibleRecording(services, context);
    return context.json(await loggedRecording(services, stored));
  });

  app.get("/sessions/:id/export", anybody, async (context) => {
    const { format } = query(context, ExportQuery);
    const { session, stored, file } = await visibleRecording(services, context);
    await audit(db, environment, {
      type: "recording-exported",
      actor: actorName(context.get("caller")),
      data: { session: session.id, format },
    });
    return context.body(exportStream(file, stored.length, format), 200, {
      "content-type": CONTENT_TYPES[format],
      "x-sallyport-complete": stored.complete === 1 ? "true" : "false",
    });
  });
}

const CONTENT_TYPES = {
  "asciicast-v2": "application/x-asciicast",
  "asciicast-v3": "application/x-asciicast",
  text: "text/plain; charset=utf-8",
  raw: "application/octet-stream",
};

async function visibleSession(services: Services, context: Context<AppEnv>): Promise<SessionSummary> {
  const session = await sessionById(services.db, context.req.param("id") ?? "");
  const caller = context.get("caller");
  if (session === undefined || !(seesAll(caller) || session.member.id === caller.member?.id))
    throw sessionNotFound();
  return session;
}

async function visibleRecording(services: Services, context: Context<AppEnv>) {
  const session = await visibleSession(services, context);
  const stored = await recordingPosition(services.db, session.id);
  const host = stored && (await hostById(services.db, stored.host_id));
  if (stored === undefined || host === undefined) throw sessionNotFound();
  const file = recordingFile(services.recordingsDirectory, stored.host_id, session.id);
  return { session, stored, hostKey: host.hostKey, file };
}

/** Whose sessions a list holds; undefined means everybody's. */
function visibleMembers(caller: Caller, wanted: string | undefined): string[] | undefined {
  if (seesAll(caller)) return wanted === undefined ? undefined : [wanted];
  const own = caller.member?.id;
  return own !== undefined && (wanted === undefined || wanted === own) ? [own] : [];
}

/** For a list, an unknown member is a list of nothing. */
async function memberIdOrNone(services: Services, text: string): Promise<string> {
  return resolveMember(services.db, text).catch(() => "none");
}

function sessionNotFound(): SallyportError {
  return new SallyportError("not-found", "There is no such session. `sallyport sessions` lists them.");
}
