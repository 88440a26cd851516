import { listStreams } from "../database/security-event-streams.ts";
import type { Database } from "../database/tables.ts";

/** How the stream of an IdP's security events stands. Times in seconds; null: never, or not known. */
export interface SecurityEventStatus {
  issuer: string;
  streamId: string | null;
  /** `enabled`, `paused` or `disabled`, as the IdP says of a managed stream. */
  status: string | null;
  statusReason: string | null;
  receivedAt: number | null;
  /** When the IdP answered last, to a poll or about the stream. */
  answeredAt: number | null;
  /** When the latest verification came back, and when one was asked for last. */
  verifiedAt: number | null;
  verificationAskedAt: number | null;
  /** What is wrong, in a sentence. */
  problem: string | null;
}

/** The streams that are known: of every issuer from which a token came, or that is polled or managed. */
export async function securityEventStatus(db: Database): Promise<SecurityEventStatus[]> {
  return (await listStreams(db)).map((row) => ({
    issuer: row.issuer,
    streamId: row.stream_id,
    status: row.status,
    statusReason: row.status_reason,
    receivedAt: row.received_at,
    answeredAt: row.checked_at,
    verifiedAt: row.verified_at,
    verificationAskedAt: row.verification_asked_at,
    problem: row.problem,
  }));
}
