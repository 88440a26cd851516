import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import type { RevocationRequest, RevocationResponse } from "@sallyport/core/messages/client-api.ts";
import type { HostEffect } from "@sallyport/core/messages/revocations.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { z } from "zod";
import { audit } from "../audit/audit.ts";
import { inTransaction } from "../database/open-database.ts";
import { addRevocation, findRevocation } from "../database/revocations.ts";
import type { Database } from "../database/tables.ts";
import { newId, seconds } from "../environment.ts";
import { endEngagement } from "../policy/end-engagement.ts";
import { type AnnouncementNeeds, tellHosts } from "./announce.ts";
import { hostEffects } from "./host-effects.ts";
import { type ResolvingNeeds, type RevocationTarget, resolveTarget } from "./resolve-target.ts";
import { isEndable, signInsUntil } from "./sign-ins-until.ts";

/** What revoking takes. */
export interface RevocationNeeds extends AnnouncementNeeds {
  config: Pick<ResolvingNeeds, "issuers">;
  hosts: AnnouncementNeeds["hosts"] & {
    /** Ids of all hosts that are connected now. */
    connected(): Promise<ReadonlySet<string>>;
    /** Sends every connected host its current bundle. */
    publishBundles(): Promise<unknown>;
  };
}

/**
 * Takes access away: stores the revocation durably, then tells every connected host and waits for their answers, 2 s at
 * most. Hosts that are away hear of it when they come back, or stop admitting when their lease ends. Codes `not-found`;
 * `message-malformed` and `conflict` for sign-ins only, where there is no such thing, or everything is revoked.
 */
export async function revoke(
  needs: RevocationNeeds,
  request: z.infer<typeof RevocationRequest>,
  by: string,
): Promise<RevocationResponse> {
  const { entries, endedEngagement } = await storeRevocation(needs, request, by);
  const response = await tellAndShow(needs, entries);
  // What an engagement grants is in bundles too; sent after the entries, which end sessions at once. Where the
  // database is away by then, they follow when it is back; nobody waits here to be told.
  if (endedEngagement) needs.hosts.publishBundles().catch(() => {});
  return response;
}

/** Tells hosts of the entries of one request, which are committed, and shows how far each host is. The first stands for all. */
export async function tellAndShow(
  needs: RevocationNeeds,
  entries: readonly Revocation[],
): Promise<RevocationResponse> {
  const [first] = entries;
  if (first === undefined) throw new TypeError("a revocation has an entry");
  const echoes = await tellHosts(needs, entries);
  const sequences = entries.map(({ sequence }) => sequence);
  const effects = await hostEffects(needs, sequences);
  const hosts = effects.map(({ id, ...effect }): HostEffect => {
    const echo = echoes.get(id);
    // What it has just answered, also where that is not stored yet.
    if (echo?.acknowledged !== true) return effect;
    const endedSessions = [...new Set([...effect.endedSessions, ...echo.endedSessions])];
    const acknowledgedAt = effect.acknowledgedAt ?? needs.environment.clock() / 1000;
    return { ...effect, endedSessions, acknowledged: true, acknowledgedAt, standing: "has" };
  });
  const { id, sequence, level, target } = first;
  return { id, sequence, level, target, hosts };
}

async function storeRevocation(
  needs: RevocationNeeds,
  request: z.infer<typeof RevocationRequest>,
  by: string,
): Promise<{ entries: Revocation[]; endedEngagement: boolean }> {
  const { environment, config } = needs;
  return inTransaction(needs.db, async (db) => {
    const targets = await resolveTarget({ db, issuers: config.issuers }, request);
    const at = seconds(environment.clock);
    const before = request.signInsOnly ? await untilNow(db, at, targets) : null;
    const entries: Revocation[] = [];
    let endedEngagement = false;
    for (const { level, target, name = target } of targets) {
      if (level === "engagement") endedEngagement = await endIfRunning(needs, db, target, request.reason, by);
      const requestId = entries[0]?.id;
      const added = { id: newId(environment, "rev"), level, target, at, by, reason: request.reason, before };
      entries.push(
        await addRevocation(db, { ...added, name, ...(requestId === undefined ? {} : { requestId }) }),
      );
    }
    const data = { request, entries: entries.map(evidence) };
    await audit(db, environment, { type: "revoked", actor: by, data });
    return { entries, endedEngagement };
  });
}

/** What the audit log has of an entry. */
export function evidence({ id, sequence, level, target, before }: Revocation): Record<string, unknown> {
  return { id, sequence, level, target, before };
}

/** Only narrows what was not taken away altogether: the newest entry counts, so that this one would give access back. */
async function untilNow(db: Database, at: number, [only]: readonly RevocationTarget[]): Promise<number> {
  if (only === undefined) throw noSignIns();
  const { level, target, name = target } = only;
  if (!isEndable(level)) throw noSignIns();
  const newest = await findRevocation(db, level, target);
  if (newest !== undefined && newest.before === null)
    throw new SallyportError(
      "conflict",
      `The ${level} ${printable(name, 300)} is revoked altogether (${newest.id}), sign-ins to come included. To let them sign in again: sallyport unrevoke ${newest.id}`,
    );
  return signInsUntil(db, at, { level, target, name });
}

function noSignIns(): SallyportError {
  return new SallyportError(
    "message-malformed",
    "Only a member, an identity, a vendor or an IdP has sign-ins to end; the rest is revoked altogether.",
  );
}

async function endIfRunning(
  needs: RevocationNeeds,
  db: Database,
  nameOrId: string,
  reason: string,
  by: string,
): Promise<boolean> {
  try {
    await endEngagement({ db, environment: needs.environment }, { nameOrId, by, reason });
    return true;
  } catch (error) {
    if (!isSallyportError(error, "conflict")) throw error;
    return false;
  }
}
