import { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import { SessionGrant } from "@sallyport/core/commands/session-grant.ts";
import { SessionId } from "@sallyport/core/names.ts";
import { SessionMode } from "@sallyport/core/policy/engagement.ts";
import { RecordingOptions, SessionLimits } from "@sallyport/core/policy/grants.ts";
import { EndRecord, StartRecord } from "@sallyport/core/recording/frame.ts";
import { z } from "zod";

/*
 * Between agent and recorders, over a Unix socket that only root can open: JSON lines. A recorder connects, says what
 * sessions it holds, and connects again when the agent comes back after a restart.
 */

const Process = z.object({ pid: z.int(), startTime: z.number() });

/** A session as its recorder knows it: enough for a restarted agent to warn, end and account for it. */
export const LiveSession = z.object({
  session: SessionId,
  start: StartRecord,
  /** The shim that carries it. */
  shim: Process,
  /** The sshd process that asked for the decision (the privileged monitor of the connection). */
  monitor: Process,
  /** What it is; recorders of versions before do not say, and had nothing but shells. */
  mode: SessionMode.optional(),
});
export type LiveSession = z.infer<typeof LiveSession>;

/** What the agent hands to a recorder before the shim arrives with the same ticket. */
export const Ticket = z.object({
  type: z.literal("ticket"),
  ticket: z.string().length(64),
  live: LiveSession,
  /** Uid and gid that own the session's terminal. */
  uid: z.int(),
  gid: z.int(),
  /** The account's shell inside the recording, and the command for its `-c`, base64; null starts a login shell. */
  shell: z.string(),
  command: z.string().nullable(),
  /** What this session may be. */
  grant: SessionGrant,
  /** The account's home directory. */
  home: z.string(),
  recording: RecordingOptions,
  limits: SessionLimits.pick({ idle: true, longest: true }),
});
export type Ticket = z.infer<typeof Ticket>;

export const ToRecorder = z.discriminatedUnion("type", [
  Ticket,
  z.object({ type: z.literal("message"), session: SessionId, text: z.string() }),
  z.object({
    type: z.literal("end"),
    session: SessionId,
    reason: EndRecord.shape.reason,
    detail: z.string(),
    text: z.string(),
  }),
  /** The policy has changed: what a session may be from now on. */
  z.object({ type: z.literal("grant"), session: SessionId, grant: SessionGrant }),
  /** Accept no new sessions and exit when the last is over. */
  z.object({ type: z.literal("drain") }),
]);
export type ToRecorder = z.infer<typeof ToRecorder>;

export const FromRecorder = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("hello"),
    version: z.string(),
    process: Process,
    socketPath: z.string(),
    sessions: z.array(LiveSession),
  }),
  z.object({ type: z.literal("started"), live: LiveSession }),
  z.object({ type: z.literal("sealed"), session: SessionId, sequence: z.int() }),
  z.object({ type: z.literal("ended"), session: SessionId, end: EndRecord }),
  /** A command, a file or a refusal in a session, for the audit log. */
  z.object({ type: z.literal("event"), session: SessionId, event: SessionEvent }),
  /** No shim came for this session's ticket. */
  z.object({ type: z.literal("lapsed"), session: SessionId }),
  z.object({ type: z.literal("failed"), session: SessionId, message: z.string() }),
]);
export type FromRecorder = z.infer<typeof FromRecorder>;

/** One line as a message; null when it is none. */
export function parseMessage<T>(schema: z.ZodType<T>, line: string): T | null {
  try {
    return schema.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

/** Splits a stream of JSON lines. Of any length: a recorder tells of all its sessions, with their commands, in one. */
export class LineReader {
  #rest = "";

  push(chunk: string): string[] {
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines;
  }
}
