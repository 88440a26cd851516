import { LoggedRecording } from "@sallyport/core/messages/audit-log.ts";
import { SessionSummary } from "@sallyport/core/messages/client-api.ts";
import { SessionEvent } from "@sallyport/core/messages/recordings.ts";
import { EXPORT_FORMATS } from "@sallyport/core/recording/export.ts";
import { z } from "zod";
import { audit } from "../../audit/audit.ts";
import { listSessions } from "../../database/sessions.ts";
import { errorFields } from "../../log.ts";
import { asStream, exportedFrames, untilDamage } from "../../recordings/recording-streams.ts";
import { eventsOf } from "../../recordings/session-events.ts";
import { storedFrames } from "../../recordings/stored-blocks.ts";
import { resolveMember } from "../../revocations/resolve-target.ts";
import type { Api } from "../api.ts";
import { actorName } from "../caller.ts";
import type { Services } from "../services.ts";
import { sightOf } from "../sight.ts";
import {
  EXPORT_COST,
  storageOf,
  visibleRecording,
  visibleSession,
  visibleSessions,
} from "../visible-recordings.ts";
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
          "Blocks, as docs/formats/recording.md has them; less than `x-sallyport-length` bytes where the stored ones are damaged. The host's key is in `x-sallyport-host-key`.",
      },
      errors: ["not-found", "recording-deleted"],
    },
    async ({ context, params, caller }) => {
      const recording = await visibleRecording(services, params.id, caller);
      const { session, stored, name, hostKey } = recording;
      const storage = storageOf(services, recording);
      const data = { session: session.id };
      await audit(db, environment, { type: "recording-viewed", actor: actorName(caller), data });
      const bytes = untilDamage(storage.read(name, 0, stored.length), (error) =>
        environment.log.error("stored recording damaged", { session: session.id, ...errorFields(error) }),
      );
      return context.body(asStream(bytes), 200, {
        "content-type": "application/vnd.sallyport.recording",
        "x-sallyport-length": String(stored.length),
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
      path: "/sessions/{id}/events",
      access: "recordings:read",
      cost: EXPORT_COST,
      summary: "What its host told of a session besides the recording, oldest first",
      params: ById,
      answer: { status: 200, schema: z.array(SessionEvent), description: "At most 10,000 events." },
      errors: ["not-found"],
    },
    async ({ params, caller }) => {
      const { session, name } = await visibleRecording(services, params.id, caller);
      const data = { session: session.id, format: "events" };
      await audit(db, environment, { type: "recording-exported", actor: actorName(caller), data });
      return (await eventsOf(db, session, name.hostId)).told;
    },
  );

  api.add(
    {
      method: "get",
      path: "/sessions/{id}/export",
      access: "recordings:read",
      cost: EXPORT_COST,
      summary: "The recording in another format",
      params: ById,
      query: ExportQuery,
      answer: {
        status: 200,
        type: "*/*",
        description:
          "As `format` says: asciicast v2 or v3 with what the host told as markers, text, or raw output.",
      },
      errors: ["not-found", "recording-deleted"],
    },
    async ({ context, params, query: { format }, caller }) => {
      const recording = await visibleRecording(services, params.id, caller);
      const { session, stored, name } = recording;
      const frames = storedFrames(storageOf(services, recording), name, stored.length);
      const { markers } = await eventsOf(db, session, name.hostId);
      const data = { session: session.id, format };
      await audit(db, environment, { type: "recording-exported", actor: actorName(caller), data });
      return context.body(asStream(exportedFrames(frames, format, markers)), 200, {
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

/** For a list, an unknown member is a list of nothing. */
async function memberIdOrNone(services: Services, text: string): Promise<string> {
  return resolveMember(services.db, text).catch(() => "none");
}
