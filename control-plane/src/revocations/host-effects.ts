import type { HostCounts, HostEffect, HostStanding } from "@sallyport/core/messages/revocations.ts";
import { acknowledgementsOf } from "../database/revocation-acknowledgements.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";

interface Needs {
  db: Database;
  environment: Pick<Environment, "clock">;
  hosts: { connected(): Promise<ReadonlySet<string>> };
}

/** How far each host that was not removed is with the entries of one request, by name. */
export async function hostEffects(
  { db, environment, hosts }: Needs,
  sequences: readonly number[],
): Promise<(HostEffect & { id: string })[]> {
  const rows = await db
    .selectFrom("hosts")
    .select(["id", "name", "lease_until", "revocation_sequence"])
    .where("removed_at", "is", null)
    .orderBy("name")
    .execute();
  const connected = await hosts.connected();
  const answers = Map.groupBy(await acknowledgementsOf(db, sequences), ({ host_id }) => host_id);
  const newest = Math.max(...sequences);
  const now = seconds(environment.clock);
  return rows.map(({ id, name, lease_until, revocation_sequence }) => {
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
