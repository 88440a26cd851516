import { SallyportError } from "@sallyport/core/errors.ts";
import type { Hold, HoldRequest } from "@sallyport/core/messages/recordings.ts";
import { audit } from "../audit/audit.ts";
import { findEngagement } from "../database/engagements.ts";
import { inTransaction } from "../database/open-database.ts";
import { addHold, hasVendor, liftHold } from "../database/recording-holds.ts";
import { recordingPosition } from "../database/recordings.ts";
import type { Database, RecordingHoldsTable } from "../database/tables.ts";
import { type Environment, newId, seconds } from "../environment.ts";

interface Needs {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
}

/**
 * Holds the recordings of a session, an engagement or a vendor, those to come included: retention deletes none of them until
 * the hold is lifted. Codes `not-found` for what there is not, `conflict` for a session whose recording is deleted.
 */
export async function placeHold(needs: Needs, request: HoldRequest, by: string): Promise<Hold> {
  const { db, environment } = needs;
  return inTransaction(db, async (transaction) => {
    const { target, name } = await resolve(transaction, request);
    const { level, reason } = request;
    const id = newId(environment, "hld");
    const data = { hold: id, level, target, name, reason };
    // The event first: it takes the log's turn, which a deletion takes as well. Whichever comes second sees the first.
    await audit(transaction, environment, { type: "hold-placed", actor: by, data });
    if (level === "session") await checkNotDeleted(transaction, target);
    const row = { id, level, target, name, reason, placed_by: by, placed_at: seconds(environment.clock) };
    await addHold(transaction, row);
    return toHold({ ...row, lifted_by: null, lifted_at: null });
  });
}

/** Lifts a hold. Code `not-found` when there is none of that id, or it is lifted already. */
export async function removeHold({ db, environment }: Needs, id: string, by: string): Promise<Hold> {
  return inTransaction(db, async (transaction) => {
    const row = await liftHold(transaction, id, { by, at: seconds(environment.clock) });
    if (row === undefined)
      throw new SallyportError("not-found", "There is no such hold. `sallyport hold list` lists them.");
    const { level, target, name } = row;
    const data = { hold: id, level, target, name };
    await audit(transaction, environment, { type: "hold-lifted", actor: by, data });
    return toHold(row);
  });
}

/** A hold as people see it. */
export function toHold(row: RecordingHoldsTable): Hold {
  return {
    id: row.id,
    level: row.level as Hold["level"],
    target: row.target,
    name: row.name,
    reason: row.reason,
    placedBy: row.placed_by,
    placedAt: row.placed_at,
    liftedBy: row.lifted_by,
    liftedAt: row.lifted_at,
  };
}

async function resolve(
  db: Database,
  { level, target }: HoldRequest,
): Promise<{ target: string; name: string }> {
  if (level === "session") {
    const row = await recordingPosition(db, target);
    if (row === undefined)
      throw new SallyportError("not-found", "There is no such session. `sallyport sessions` lists them.");
    return { target, name: target };
  }
  if (level === "engagement") {
    const found = await findEngagement(db, target);
    if (found === undefined)
      throw new SallyportError(
        "not-found",
        "There is no such engagement. `sallyport engagement list` lists them.",
      );
    return { target: found.id, name: found.name };
  }
  if (!(await hasVendor(db, target)))
    throw new SallyportError("not-found", "No engagement is of such a vendor.");
  return { target, name: target };
}

async function checkNotDeleted(db: Database, session: string): Promise<void> {
  const row = await recordingPosition(db, session);
  if (row?.deleted_at == null) return;
  const when = new Date(row.deleted_at * 1000).toISOString();
  throw new SallyportError(
    "conflict",
    `This recording was deleted on ${when} by ${row.deleted_by}: it cannot be held.`,
  );
}
