import { canonicalJson } from "@sallyport/core/canonical-json.ts";
import { addAuditEvent } from "../database/audit-events.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, newId } from "../environment.ts";

/** What is worth remembering. */
export type AuditType =
  | "signed-in"
  | "signed-out"
  | "identity-pinned"
  | "certificate-issued"
  | "certificate-refused"
  | "revoked"
  | "revocation-acknowledged"
  | "engagement-ended"
  | "policy-applied"
  | "join-token-made"
  | "host-enrolled"
  | "host-event"
  | "recording-complete"
  | "recording-rejected"
  | "recording-viewed"
  | "recording-exported"
  | "audit-log-read"
  | "audit-log-renewed";

/**
 * Appends to the audit log, event and leaf in one. Inside a transaction, pass that: the event then stands or falls with
 * what it tells of. Returns its place in the log.
 */
export async function audit(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  event: { type: AuditType; actor: string; data: Record<string, unknown> },
): Promise<number> {
  return addAuditEvent(db, {
    id: newId(environment, "evt"),
    at_ms: environment.clock(),
    type: event.type,
    actor: event.actor.toWellFormed(),
    data_json: canonicalJson(JSON.parse(JSON.stringify(event.data), wellFormed)),
  });
}

/** Text from outside may hold half a surrogate pair, which canonical JSON cannot. It must not keep its event out. */
function wellFormed(_key: string, value: unknown): unknown {
  return typeof value === "string" ? value.toWellFormed() : value;
}
