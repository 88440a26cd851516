import type { SessionSummary } from "@sallyport/core/messages/client-api.ts";
import type { EndRecord, StartRecord } from "@sallyport/core/recording/frame.ts";
import type { Selectable } from "kysely";
import { heldRecordings } from "./recording-holds.ts";
import type { Database, RecordingsTable, SessionsTable } from "./tables.ts";

/** Which sessions to list. `before` is a session id: only older ones. */
export interface SessionFilter {
  state?: "live" | "ended" | undefined;
  memberIds?: readonly string[] | undefined;
  /** Only those of this member, or of these engagements. */
  visible?: { memberId: string | undefined; engagementIds: readonly string[] } | undefined;
  host?: string | undefined;
  before?: string | undefined;
  limit: number;
}

/** Adds a session by its start record. */
export async function addSession(db: Database, start: StartRecord): Promise<void> {
  await db
    .insertInto("sessions")
    .values({
      id: start.session,
      host_id: start.host.id,
      host_name: start.host.name,
      account: start.account,
      member_id: start.member.id,
      member_name: start.member.name,
      issuer: start.member.issuer,
      subject: start.member.subject,
      engagement_id: start.engagement.id,
      engagement_name: start.engagement.name,
      kind: start.kind,
      command: start.command,
      source_address: start.login.sourceAddress,
      certificate_serial: start.login.certificateSerial,
      started_at_ms: start.startedAt,
      ended_at_ms: null,
      exit_status: null,
      signal: null,
      end_reason: null,
      assurance: start.login.assurance ?? "bound",
    })
    .execute();
}

/** Notes how a session ended. */
export async function endSession(db: Database, id: string, end: EndRecord): Promise<void> {
  await db
    .updateTable("sessions")
    .set({
      ended_at_ms: end.endedAt,
      exit_status: end.exitStatus,
      signal: end.signal,
      end_reason: end.reason,
    })
    .where("id", "=", id)
    .execute();
}

/** Sessions, newest first. */
export async function listSessions(db: Database, filter: SessionFilter): Promise<SessionSummary[]> {
  const { state, memberIds, visible, host, before } = filter;
  let query = joined(db);
  if (state !== undefined) query = query.where("ended_at_ms", state === "live" ? "is" : "is not", null);
  if (memberIds !== undefined) query = query.where("member_id", "in", [...memberIds]);
  if (visible !== undefined) {
    query = query.where(({ eb, or }) =>
      or([
        eb("member_id", "=", visible.memberId ?? ""),
        ...(visible.engagementIds.length > 0 ? [eb("engagement_id", "in", [...visible.engagementIds])] : []),
      ]),
    );
  }
  if (host !== undefined) query = query.where("host_name", "=", host);
  if (before !== undefined) query = query.where("id", "<", before);
  return summaries(db, await query.orderBy("id", "desc").limit(filter.limit).execute());
}

/** One session. */
export async function sessionById(db: Database, id: string): Promise<SessionSummary | undefined> {
  const row = await joined(db).where("id", "=", id).executeTakeFirst();
  return row && (await summaries(db, [row]))[0];
}

function joined(db: Database) {
  return db
    .selectFrom("sessions")
    .innerJoin("recordings", "recordings.session_id", "sessions.id")
    .selectAll("sessions")
    .select(["next_sequence", "raw_bytes", "complete", "deleted_at", "deleted_by"]);
}

/** How many sessions are live. */
export async function countLiveSessions(db: Database): Promise<number> {
  const { live } = await db
    .selectFrom("sessions")
    .select(({ fn }) => fn.countAll().as("live"))
    .where("ended_at_ms", "is", null)
    .executeTakeFirstOrThrow();
  return Number(live);
}

type JoinedRow = Selectable<SessionsTable> &
  Pick<RecordingsTable, "next_sequence" | "raw_bytes" | "complete" | "deleted_at" | "deleted_by">;

async function summaries(db: Database, rows: readonly JoinedRow[]): Promise<SessionSummary[]> {
  const ids = rows.filter(({ deleted_at }) => deleted_at === null).map(({ id }) => id);
  const held = ids.length === 0 ? [] : await heldRecordings(db).where("held.id", "in", ids).execute();
  const isHeld = new Set(held.map(({ id }) => id));
  return rows.map((row) => toSummary(row, isHeld.has(row.id)));
}

function toSummary(row: JoinedRow, held: boolean): SessionSummary {
  return {
    id: row.id,
    state: row.ended_at_ms === null ? "live" : "ended",
    host: row.host_name,
    account: row.account,
    member: { id: row.member_id, name: row.member_name, issuer: row.issuer, subject: row.subject },
    engagement: { id: row.engagement_id, name: row.engagement_name },
    kind: row.kind === "pty" || row.kind === "files" ? row.kind : "command",
    command: row.command,
    sourceAddress: row.source_address,
    certificateSerial: row.certificate_serial,
    assurance: row.assurance === "brokered" ? "brokered" : "bound",
    startedAt: row.started_at_ms / 1000,
    endedAt: row.ended_at_ms === null ? null : row.ended_at_ms / 1000,
    exitStatus: row.exit_status,
    signal: row.signal,
    endReason: row.end_reason,
    blocks: row.next_sequence,
    bytes: row.raw_bytes,
    recording: {
      state: row.deleted_at !== null ? "deleted" : row.complete === 1 ? "complete" : "partial",
      held,
      deletedAt: row.deleted_at,
      deletedBy: row.deleted_by,
    },
  };
}
