import { isSallyportError } from "@sallyport/core/errors.ts";
import type { RevocationRequest, RevocationResponse } from "@sallyport/core/messages/client-api.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import type { z } from "zod";
import { audit } from "../audit/audit.ts";
import { listHosts } from "../database/hosts.ts";
import { inTransaction } from "../database/open-database.ts";
import { addRevocation } from "../database/revocations.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, newId, seconds } from "../environment.ts";
import type { RevocationEcho } from "../hosts/connected-hosts.ts";
import { endEngagement } from "../policy/end-engagement.ts";
import { resolveTarget } from "./resolve-target.ts";

/** How hosts hear of revocations. */
export interface RevocationAnnouncer {
  /** Sends entries to every connected host; resolves when all have answered or after 2 s. */
  revoke(entries: readonly Revocation[]): Promise<RevocationEcho[]>;
  /** Sends every connected host its current bundle. */
  publishBundles(): Promise<unknown>;
}

interface Needs {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
  hosts: RevocationAnnouncer;
}

/**
 * Takes access away: stores the revocation durably, then tells every connected host and waits for their answers, 2 s at
 * most. Hosts that are away hear of it when they come back, or stop admitting when their lease ends.
 */
export async function revoke(
  needs: Needs,
  request: z.infer<typeof RevocationRequest>,
  by: string,
): Promise<z.infer<typeof RevocationResponse>> {
  const entries = await storeRevocation(needs, request, by);
  const answers = await needs.hosts.revoke(entries);
  const echoes = new Map(answers.map((echo) => [echo.hostId, echo]));
  // Their bundles now differ from the one that hosts have; sent after the entries, which end sessions at once.
  // Where the database is away by then, they follow when it is back; nobody waits here to be told.
  needs.hosts.publishBundles().catch(() => {});
  const hosts = (await listHosts(needs.db)).map((host) => {
    const echo = echoes.get(host.id);
    return {
      host: host.name,
      acknowledged: echo?.acknowledged ?? false,
      endedSessions: echo?.endedSessions ?? [],
    };
  });
  const first = entries[0];
  if (first === undefined) throw new TypeError("a revocation has an entry");
  const { id, sequence, level, target } = first;
  const data = { revocations: entries.map((entry) => entry.id), hosts };
  await audit(needs.db, needs.environment, { type: "revocation-acknowledged", actor: "control plane", data });
  return { id, sequence, level, target, hosts };
}

async function storeRevocation(
  needs: Needs,
  request: z.infer<typeof RevocationRequest>,
  by: string,
): Promise<Revocation[]> {
  return inTransaction(needs.db, async (db) => {
    const targets = await resolveTarget(db, request);
    const entries: Revocation[] = [];
    for (const { level, target } of targets) {
      if (level === "engagement") await endIfRunning(needs, db, target, request.reason, by);
      const at = seconds(needs.environment.clock);
      const id = newId(needs.environment, "rev");
      entries.push(await addRevocation(db, { id, level, target, at, by, reason: request.reason }));
    }
    const data = {
      request,
      entries: entries.map(({ id, sequence, level, target }) => ({ id, sequence, level, target })),
    };
    await audit(db, needs.environment, { type: "revoked", actor: by, data });
    return entries;
  });
}

async function endIfRunning(
  needs: Needs,
  db: Database,
  nameOrId: string,
  reason: string,
  by: string,
): Promise<void> {
  try {
    await endEngagement({ db, environment: needs.environment }, { nameOrId, by, reason });
  } catch (error) {
    if (!isSallyportError(error, "conflict")) throw error;
  }
}
