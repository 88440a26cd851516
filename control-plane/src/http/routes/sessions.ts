import { SallyportError } from "@sallyport/core/errors.ts";
import { LoggedRecording } from "@sallyport/core/messages/audit-log.ts";
import { SessionSummary } from "@sallyport/core/messages/client-api.ts";
import { EXPORT_FORMATS } from "@sallyport/core/recording/export.ts";
import { z } from "zod";
import { audit } from "../../audit/audit.ts";
import { listEngagements } from "../../database/engagements.ts";
import { hostById } from "../../database/hosts.ts";
import { recordingPosition } from "../../database/recordings.ts";
import { listSessions, type SessionFilter, sessionById } from "../../database/sessions.ts";
import { recordingFile } from "../../recordings/recording-files.ts";
import { exportStream, recordingStream } from "../../recordings/recording-streams.ts";
import { resolveMember } from "../../revocations/resolve-target.ts";
import type { Api } from "../api.ts";
import { actorName, type Caller } from "../caller.ts";
import type { Services } from "../services.ts";
import { type Sight, sightOf } from "../sight.ts";
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

const ById = z.object({ id: z.string().max(64) });

/**
 * Sessions and their recordings. A contractor sees their own, a sponsor those of their engagements; others' are as if they
 * were not there. Whoever looks into a recording is in the audit log.
 */
export function sessionRoutes(api: Api, services: Services): void {
  const { db, environment } = services;

  api.add(
    {
      method: "get",
      path: "/sessions",
      access: "sessions:read",
      summary: "Sessions, newest first",
      query: ListQuery,
      answer: { status: 200, schema: z.array(SessionSummary), description: "Those that the caller may see." },
    },
    async ({ query, caller }) => {
      const { member, ...filter } = query;
      const memberIds = member === undefined ? undefined : [await memberIdOrNone(services, member)];
      const visible = await visibleSessions(services, sightOf(caller, "sessions:read"));
      return listSessions(db, { ...filter, memberIds, visible });
    },
  );

  api.add(
    {
      method: "get",
      path: "/sessions/{id}",
      access: "sessions:read",
      summary: "One session",
      params: ById,
      answer: { status: 200, schema: SessionSummary, description: "The session." },
      errors: ["not-found"],
    },
    ({ params, caller }) => visibleSession(services, params.id, sightOf(caller, "sessions:read")),
  );

  api.add(
    {
      method: "get",
      path: "/sessions/{id}/recording",
      access: "recordings:read",
      summary: "The recording as it is stored, for `sallyport verify`",
      params: ById,
      answer: {
        status: 200,
        type: "application/vnd.sallyport.recording",
        description:
          "Blocks, as docs/formats/recording.md has them. The host's key is in `x-sallyport-host-key`.",
      },
      errors: ["not-found"],
    },
    async ({ context, params, caller }) => {
      const { session, stored, hostKey, file } = await visibleRecording(services, params.id, caller);
      const data = { session: session.id };
      await audit(db, environment, { type: "recording-viewed", actor: actorName(caller), data });
      return context.body(recordingStream(file, stored.length), 200, {
        "content-type": "application/vnd.sallyport.recording",
        "content-length": String(stored.length),
        "x-sallyport-host-key": hostKey,
        "x-sallyport-complete": stored.complete === 1 ? "true" : "false",
      });
    },
  );

  api.add(
    {
      method: "get",
      path: "/sessions/{id}/inclusion",
      access: "recordings:read",
      summary: "Proof that the end of the recording is in the audit log",
      params: ById,
      answer: { status: 200, schema: LoggedRecording, description: "The proof." },
      errors: ["not-found"],
    },
    async ({ params, caller }) => {
      const { stored } = await visibleRecording(services, params.id, caller);
      return loggedRecording(services, stored);
    },
  );

  api.add(
    {
      method: "get",
      path: "/sessions/{id}/export",
      access: "recordings:read",
      summary: "The recording in another format",
      params: ById,
      query: ExportQuery,
      answer: {
        status: 200,
        type: "*/*",
        description: "As `format` says: asciicast v2 or v3, text, or raw output.",
      },
      errors: ["not-found"],
    },
    async ({ context, params, query: { format }, caller }) => {
      const { session, stored, file } = await visibleRecording(services, params.id, caller);
      const data = { session: session.id, format };
      await audit(db, environment, { type: "recording-exported", actor: actorName(caller), data });
      return context.body(exportStream(file, stored.length, format), 200, {
        "content-type": CONTENT_TYPES[format],
        "x-sallyport-complete": stored.complete === 1 ? "true" : "false",
      });
    },
  );
}

const CONTENT_TYPES = {
  "asciicast-v2": "application/x-asciicast",
  "asciicast-v3": "application/x-asciicast",
  text: "text/plain; charset=utf-8",
  raw: "application/octet-stream",
};

async function visibleSession(services: Services, id: string, sight: Sight): Promise<SessionSummary> {
  const session = await sessionById(services.db, id);
  const visible = await visibleSessions(services, sight);
  const isVisible =
    visible === undefined ||
    (session !== undefined &&
      (session.member.id === visible.memberId || visible.engagementIds.includes(session.engagement.id)));
  if (session === undefined || !isVisible) throw sessionNotFound();
  return session;
}

async function visibleRecording(services: Services, id: string, caller: Caller) {
  const session = await visibleSession(services, id, sightOf(caller, "recordings:read"));
  const stored = await recordingPosition(services.db, session.id);
  const host = stored && (await hostById(services.db, stored.host_id));
  if (stored === undefined || host === undefined) throw sessionNotFound();
  const file = recordingFile(services.recordingsDirectory, stored.host_id, session.id);
  return { session, stored, hostKey: host.hostKey, file };
}

/** Whose sessions are in sight; undefined means everybody's. */
async function visibleSessions({ db }: Services, sight: Sight): Promise<SessionFilter["visible"]> {
  if (sight.all) return undefined;
  const { memberId, sponsor } = sight;
  const sponsored =
    sponsor === undefined ? [] : (await listEngagements(db)).filter((one) => one.sponsor === sponsor);
  return { memberId, engagementIds: sponsored.map(({ id }) => id) };
}

/** For a list, an unknown member is a list of nothing. */
async function memberIdOrNone(services: Services, text: string): Promise<string> {
  return resolveMember(services.db, text).catch(() => "none");
}

function sessionNotFound(): SallyportError {
  return new SallyportError("not-found", "There is no such session. `sallyport sessions` lists them.");
}
