import { SallyportError } from "@sallyport/core/errors.ts";
import type { LoggedRecording } from "@sallyport/core/messages/audit-log.ts";
import type { z } from "zod";
import { auditLeaf } from "../../audit/leaf.ts";
import { inclusionProof } from "../../audit/tree-head.ts";
import { auditEventsFrom } from "../../database/audit-events.ts";
import type { RecordingsTable } from "../../database/tables.ts";
import type { Services } from "../services.ts";

/** Proof that the end of a recording is in the audit log. Code `not-found` before it has ended. */
export async function loggedRecording(
  { db, auditLog }: Pick<Services, "db" | "auditLog">,
  { leaf_index }: RecordingsTable,
): Promise<z.input<typeof LoggedRecording>> {
  const { note, size } = await auditLog.checkpoint();
  const [event] = leaf_index === null ? [] : await auditEventsFrom(db, leaf_index, 1);
  if (leaf_index === null || event === undefined || leaf_index >= size)
    throw new SallyportError("not-found", "The end of this recording is not in the audit log.");
  const proof = await inclusionProof(db, leaf_index, size);
  return {
    leaf: auditLeaf(event),
    index: leaf_index,
    proof: proof.map((hash) => Buffer.from(hash).toString("base64")),
    checkpoint: note,
    key: auditLog.verifierKey,
  };
}
