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
  | "engagement-ended"
  | "policy-applied"
  | "join-token-made"
  | "host-enrolled"
  | "host-event"
  | "recording-complete"
  | "recording-rejected"
  | "recording-viewed"
  | "recording-exported";

/** Appends to the audit log. Inside a transaction, pass that: the event then stands or falls with what it tells of. */
export async function audit(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  event: { type: AuditType; actor: string; data: Record<string, unknown> },
): Promise<void> {
  await addAuditEvent(db, {
    id: newId(environment, "evt"),
    at_ms: environment.clock(),
    type: event.type,
    actor: event.actor,
    data_json: JSON.stringify(event.data),
  });
}
