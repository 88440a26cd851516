import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { audit } from "../audit/audit.ts";
import type { Database } from "../database/tables.ts";
import type { Environment } from "../environment.ts";
import type { RevocationEcho } from "../hosts/connected-hosts.ts";
import { errorFields } from "../log.ts";

/** Most hosts without a revocation that the audit log names. */
const MOST_NAMED = 100;

/** How hosts hear of revocations. */
export interface RevocationAnnouncer {
  /** Sends entries to every connected host; resolves when all have answered or after 2 s. */
  revoke(entries: readonly Revocation[]): Promise<RevocationEcho[]>;
}

/** What telling hosts takes. */
export interface AnnouncementNeeds {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
  hosts: RevocationAnnouncer;
}

/**
 * Has every connected host take in entries that are committed, and returns at once: hosts that are away hear of them when they
 * come back. Never throws; no entries are nothing.
 */
export function announce(
  needs: AnnouncementNeeds & { environment: Pick<Environment, "log"> },
  entries: readonly Revocation[],
): void {
  if (entries.length === 0) return;
  tellHosts(needs, entries).catch((error: unknown) =>
    needs.environment.log.error(
      "hosts could not be told of revocations; they hear of them when they connect",
      {
        revocations: entries.map(({ id }) => id),
        ...errorFields(error),
      },
    ),
  );
}

/** Tells every connected host, waits for their answers, 2 s at most, and writes down who has it and what it ended. */
export async function tellHosts(
  { db, environment, hosts }: AnnouncementNeeds,
  entries: readonly Revocation[],
): Promise<Map<string, RevocationEcho>> {
  const answers = await hosts.revoke(entries);
  const echoes = new Map(answers.map((echo) => [echo.hostId, echo]));
  const all = await db.selectFrom("hosts").select(["id", "name"]).where("removed_at", "is", null).execute();
  const missing = all.filter(({ id }) => echoes.get(id)?.acknowledged !== true);
  const data = {
    revocations: entries.map(({ id }) => id),
    hosts: all.length,
    acknowledged: all.length - missing.length,
    // The rest is counted: with every notice of an IdP thousands of names would be too much to keep for good.
    missing: missing
      .slice(0, MOST_NAMED)
      .map(({ name }) => name)
      .sort(),
    ended: all.flatMap(({ id, name }) => {
      const sessions = echoes.get(id)?.endedSessions ?? [];
      return sessions.length === 0 ? [] : [{ host: name, sessions }];
    }),
  };
  await audit(db, environment, { type: "revocation-acknowledged", actor: "control plane", data });
  return echoes;
}
