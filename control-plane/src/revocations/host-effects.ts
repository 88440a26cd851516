import type { HostCounts, HostEffect, HostStanding } from "@sallyport/core/messages/revocations.ts";
import { acknowledgementsOf } from "../database/revocation-acknowledgements.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";

interface Needs {
  db: Database;
  environment: Pick<Environment, "clock">;
  hosts: { connected(): Promise<ReadonlySet<string>> };
}

/**
 * How far each host is with the entries of one request, by name. At the end of the list: one that was removed, or whose name another one has now,, while
 * it has a lease and not these entries: nobody tells it anything any more, and it may still run.
 */
export async function hostEffects(
  { db, environment, hosts }: Needs,
  sequences: readonly number[],
): Promise<(HostEffect & { id: string })[]> {
  const now = seconds(environment.clock);
  const rows = await db
    .selectFrom("hosts")
    .select(["id", "name", "removed_at", "lease_until", "revocation_sequence"])
    .where(({ or, eb }) => or([eb("removed_at", "is", null), eb("lease_until", ">", now)]))
    .orderBy("name")
    .execute();
  const newest = Math.max(...sequences);
  const there = rows.filter((row) => row.removed_at === null);
  const removed = rows.filter((row) => row.removed_at !== null && row.revocation_sequence < newest);
  const connected = await hosts.connected();
  const answers = Map.groupBy(await acknowledgementsOf(db, sequences), ({ host_id }) => host_id);
  return [...there, ...removed].map(({ id, name, lease_until, revocation_sequence }) => {
    const own = answers.get(id) ?? [];
    const ended = own.flatMap((answer) => JSON.parse(answer.ended_sessions_json) as string[]);
    const acknowledged = revocation_sequence >= newest;
    const host = { acknowledged, connected: connected.has(id), leaseUntil: lease_until || null };
    const saidAt = acknowledged ? own.findLast(({ sequence }) => sequence >= newest)?.at_ms : undefined;
    return {
      ...{ id, host: name, ...host },
      acknowledgedAt: saidAt ? saidAt / 1000 : null,
      endedSessions: [...new Set(ended)],
      standing: standingOf(host, now),
    };
  });
}

/** A host admits until its lease ends, also one that is connected and does not answer. */
function standingOf(
  { acknowledged, connected, leaseUntil }: Pick<HostEffect, "acknowledged" | "connected" | "leaseUntil">,
  now: number,
): HostStanding {
  if (acknowledged) return "has";
  if (leaseUntil === null || leaseUntil <= now) return "no-lease";
  return connected ? "asked" : "cut-off";
}

/** How many there are of each. */
export function countHosts(hosts: readonly Pick<HostEffect, "standing">[]): HostCounts {
  const count = (standing: HostStanding) => hosts.filter((host) => host.standing === standing).length;
  return {
    all: hosts.length,
    has: count("has"),
    asked: count("asked"),
    cutOff: count("cut-off"),
    noLease: count("no-lease"),
  };
}
