import { canonicalJson } from "@sallyport/core/canonical-json.ts";
import { addAuditEvents } from "../database/audit-batch.ts";
import { addAuditEvent } from "../database/audit-events.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, newId } from "../environment.ts";
import type { AuditedEvent } from "./leaf.ts";

/** What is worth remembering. */
export type AuditType =
  | "signed-in"
  | "signed-out"
  | "token-made"
  | "token-revoked"
  | "bootstrap-token-made"
  | "identity-pinned"
  | "certificate-issued"
  | "certificate-renewed"
  | "certificate-refused"
  | "revoked"
  | "revocation-acknowledged"
  | "revocation-lifted"
  | "idp-notice"
  | "idp-notice-refused"
  | "idp-silent"
  | "idp-answers"
  | "engagement-created"
  | "engagement-changed"
  | "engagement-extended"
  | "engagement-ended"
  | "member-invited"
  | "member-changed"
  | "invitation-withdrawn"
  | "notice-sent"
  | "notice-not-sent"
  | "policy-applied"
  | "approval-requested"
  | "approval-answered"
  | "approval-expired"
  | "approval-withdrawn"
  | "join-token-made"
  | "host-enrolled"
  | "host-event"
  | "recording-complete"
  | "recording-rejected"
  | "recording-viewed"
  | "recording-exported"
  | "recording-deleted"
  | "hold-placed"
  | "hold-lifted"
  | "web-session-begun"
  | "web-session-ended"
  | "audit-log-read"
  | "key-rotation-begun"
  | "key-rotation-switched"
  | "key-rotation-finished"
  | "host-certificates-renewed"
  | "grant-key-renewed"
  | "audit-log-renewed";

/** What is told of, by whom, and what of it. */
export interface AuditInput {
  type: AuditType;
  actor: string;
  data: Record<string, unknown>;
}

/**
 * Appends to the audit log, event and leaf in one. Inside a transaction, pass that: the event then stands or falls with
 * what it tells of. Returns its place in the log.
 */
export async function audit(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  event: AuditInput,
): Promise<number> {
  return addAuditEvent(db, rowOf(environment, event));
}

/** The same for many events at once, in their order. */
export async function auditAll(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  events: readonly AuditInput[],
): Promise<void> {
  await addAuditEvents(
    db,
    events.map((event) => rowOf(environment, event)),
  );
}

function rowOf(environment: Pick<Environment, "clock" | "random">, event: AuditInput): AuditedEvent {
  return {
    id: newId(environment, "evt"),
    at_ms: environment.clock(),
    type: event.type,
    // PostgreSQL cannot hold U+0000 either; the leaf must be of what is stored.
    actor: event.actor.toWellFormed().replaceAll("\0", "\ufffd"),
    data_json: canonicalJson(JSON.parse(JSON.stringify(event.data), wellFormed)),
  };
}

/** Text from outside may hold half a surrogate pair, which canonical JSON cannot. It must not keep its event out. */
function wellFormed(_key: string, value: unknown): unknown {
  return typeof value === "string" ? value.toWellFormed() : value;
}
