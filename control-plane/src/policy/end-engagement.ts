import { SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { findEngagement, markEnded } from "../database/engagements.ts";
import { listMembers } from "../database/members.ts";
import { inTransaction } from "../database/open-database.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";
import { namesOf } from "./members-of.ts";
import { differences, noteVersion } from "./store-engagement.ts";

interface Needs {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
}

/**
 * Ends an engagement before its time, durably; hosts hear of it with their next bundle. Codes `not-found`, and
 * `conflict` when it is over already.
 */
export async function endEngagement(
  needs: Needs,
  request: { nameOrId: string; by: string; reason: string },
): Promise<{ id: string; name: string }> {
  const at = seconds(needs.environment.clock);
  return inTransaction(needs.db, async (db) => {
    const engagement = await findEngagement(db, request.nameOrId);
    if (engagement === undefined) throw engagementNotFound(request.nameOrId);
    const ended = { at, by: request.by, reason: request.reason };
    const version = engagement.end <= at ? undefined : await markEnded(db, engagement.id, ended);
    if (version === undefined)
      throw new SallyportError("conflict", `The engagement ${engagement.name} is over already.`);
    const { id, name } = engagement;
    const after = { ...engagement, ended };
    const emailOf = namesOf(await listMembers(db, engagement.members));
    await noteVersion(db, needs.environment, {
      ...{ type: "engagement-ended", by: request.by, why: request.reason, version, needsApproval: false },
      ...{ after, emailOf, changes: differences(engagement, after, emailOf) },
    });
    return { id, name };
  });
}

/** The error for an engagement that is not there, or is not for the caller to see. */
export function engagementNotFound(nameOrId: string): SallyportError {
  const shown = printable(nameOrId, 100);
  return new SallyportError(
    "not-found",
    `There is no engagement ${shown} for you to see. To list those that are: sallyport engagement list`,
  );
}
