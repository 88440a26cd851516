import { type SqlBool, sql } from "kysely";
import type { Database } from "./tables.ts";

/*
 * Only for PostgreSQL, by whose clock it is decided who is there. Single statements, without the lock of
 * `inTransaction`: who is connected is no decision.
 */

const now = sql<number>`extract(epoch from clock_timestamp())::double precision`;
const seenWithin = (seconds: number) => sql<SqlBool>`replicas.seen_at > ${now} - ${sql.lit(seconds)}`;

/** Not heard from for so long, in seconds: its hosts count as away. */
const AWAY = 7;
/** And for so long: it is forgotten. */
const GONE = 60;

/** Says that a replica is there, and forgets those that are gone. */
export async function beat(db: Database, replica: string): Promise<void> {
  await db
    .insertInto("replicas")
    .values({ id: replica, seen_at: now })
    .onConflict((conflict) => conflict.column("id").doUpdateSet({ seen_at: now }))
    .execute();
  await db
    .deleteFrom("replicas")
    .where(sql<SqlBool>`seen_at < ${now} - ${sql.lit(GONE)}`)
    .execute();
}

/** Says that a replica stops: its hosts are away. */
export async function leave(db: Database, replica: string): Promise<void> {
  await db.deleteFrom("replicas").where("id", "=", replica).execute();
}

/** Notes that a host has connected to this replica, whichever it was connected to before. */
export async function noteLink(db: Database, hostId: string, replica: string): Promise<void> {
  const row = { replica_id: replica, bundle_leaf: -1 };
  await db
    .insertInto("host_links")
    .values({ host_id: hostId, ...row })
    .onConflict((conflict) => conflict.column("host_id").doUpdateSet(row))
    .execute();
}

/** Notes that a host is no longer connected to this replica. */
export async function forgetLink(db: Database, hostId: string, replica: string): Promise<void> {
  await db.deleteFrom("host_links").where("host_id", "=", hostId).where("replica_id", "=", replica).execute();
}

/** Which replica each of these hosts has connected to last. */
export async function linksOf(db: Database, hostIds: readonly string[]): Promise<Map<string, string>> {
  if (hostIds.length === 0) return new Map();
  const rows = await db
    .selectFrom("host_links")
    .select(["host_id", "replica_id"])
    .where("host_id", "in", hostIds)
    .execute();
  return new Map(rows.map(({ host_id, replica_id }) => [host_id, replica_id]));
}

/** The hosts that are connected to any replica, or any other than `except`, with the leaf that their bundle covers. */
export async function connectedHosts(db: Database, except = ""): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom("host_links")
    .innerJoin("replicas", "replicas.id", "host_links.replica_id")
    .select(["host_id", "bundle_leaf"])
    .where(seenWithin(AWAY))
    .where("replica_id", "!=", except)
    .execute();
  return new Map(rows.map(({ host_id, bundle_leaf }) => [host_id, bundle_leaf]));
}

/** Notes that these hosts of a replica have a bundle with all changes up to a leaf. */
export async function noteBundles(
  db: Database,
  replica: string,
  hostIds: readonly string[],
  leaf: number,
): Promise<void> {
  await db
    .updateTable("host_links")
    .set({ bundle_leaf: leaf })
    .where("replica_id", "=", replica)
    .where("host_id", "in", hostIds)
    .where("bundle_leaf", "<", leaf)
    .execute();
}

/** Those of these hosts that were removed. */
export async function removedHosts(db: Database, hostIds: readonly string[]): Promise<string[]> {
  if (hostIds.length === 0) return [];
  const rows = await db
    .selectFrom("hosts")
    .select("id")
    .where("id", "in", hostIds)
    .where("removed_at", "is not", null)
    .execute();
  return rows.map(({ id }) => id);
}
