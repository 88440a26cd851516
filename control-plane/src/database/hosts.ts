import { HostFacts } from "@sallyport/core/messages/host-facts.ts";
import { HostName, ShortName } from "@sallyport/core/names.ts";
import type { Selectable } from "kysely";
import { z } from "zod";
import type { Database, HostsTable } from "./tables.ts";

const Labels = z.record(ShortName, z.string().max(128));

/** A server that was enrolled. */
export interface Host {
  id: string;
  name: HostName;
  address: string;
  port: number;
  labels: Record<ShortName, string>;
  /** Ed25519 JWK `x`. */
  hostKey: string;
  enrolledAt: number;
  lastSeenAt: number | null;
  removed: boolean;
  bundleVersion: number;
  /** How far it has the revocation list, by its own word. */
  revocationSequence: number;
  /** What the host said of itself last; nothing is decided by it. */
  facts: HostFacts | null;
}

/** All hosts that were not removed, newest first. */
export async function listHosts(db: Database): Promise<Host[]> {
  const rows = await db
    .selectFrom("hosts")
    .selectAll()
    .where("removed_at", "is", null)
    .orderBy("id", "desc")
    .execute();
  return rows.map(toHost);
}

/** The host with this id, also one that was removed: its recordings stay. */
export async function hostById(db: Database, id: string): Promise<Host | undefined> {
  const row = await db.selectFrom("hosts").selectAll().where("id", "=", id).executeTakeFirst();
  return row && toHost(row);
}

/** Adds a host; one of the same name that is there already is removed, its recordings stay. */
export async function addHost(
  db: Database,
  host: Pick<HostsTable, "id" | "name" | "address" | "port" | "labels_json" | "host_key" | "enrolled_at">,
): Promise<{ replaced: string[] }> {
  const replaced = await db
    .updateTable("hosts")
    .set({ removed_at: host.enrolled_at })
    .where("name", "=", host.name)
    .where("removed_at", "is", null)
    .returning("id")
    .execute();
  await db
    .insertInto("hosts")
    .values({
      ...host,
      last_seen_at: null,
      removed_at: null,
      bundle_version: 0,
      bundle_hash: "",
      facts_json: null,
    })
    .execute();
  return { replaced: replaced.map(({ id }) => id) };
}

/** True when this host key is known already. */
export async function isHostKeyTaken(db: Database, hostKey: string): Promise<boolean> {
  const row = await db.selectFrom("hosts").select("id").where("host_key", "=", hostKey).executeTakeFirst();
  return row !== undefined;
}

/** Notes that a host was heard from. */
export async function touchHost(db: Database, id: string, at: number): Promise<void> {
  await db.updateTable("hosts").set({ last_seen_at: at }).where("id", "=", id).execute();
}

/** Keeps what a host says of itself, in place of what it said before. */
export async function noteFacts(db: Database, id: string, facts: HostFacts): Promise<void> {
  const changed = { facts_json: JSON.stringify(facts) };
  await db.updateTable("hosts").set(changed).where("id", "=", id).execute();
}

/** What a host's bundle holds now, by its hash, and the version that the host has at least. */
export interface HostContent {
  id: string;
  hash: string;
  atLeast: number;
}

/** The bundle versions that go with these contents, by host: the stored one, or the next where the content is new. */
export async function versionsForContents(
  db: Database,
  contents: readonly HostContent[],
): Promise<Map<string, number>> {
  const ids = contents.map(({ id }) => id);
  const rows = await db
    .selectFrom("hosts")
    .select(["id", "bundle_version", "bundle_hash"])
    .where("id", "in", ids)
    .execute();
  const stored = new Map(rows.map((row) => [row.id, row]));
  const versions = new Map<string, number>();
  for (const { id, hash, atLeast } of contents) {
    const row = stored.get(id);
    if (row === undefined) continue;
    const isKnown = row.bundle_hash === hash && row.bundle_version >= atLeast;
    const version = isKnown ? row.bundle_version : Math.max(row.bundle_version, atLeast) + 1;
    versions.set(id, version);
    if (isKnown) continue;
    const changed = { bundle_version: version, bundle_hash: hash };
    await db.updateTable("hosts").set(changed).where("id", "=", id).execute();
    Object.assign(row, changed);
  }
  return versions;
}

/** Notes that these hosts are given a lease that ends then, in seconds; one that ends later stands. */
export async function noteLeases(db: Database, ids: readonly string[], leaseUntil: number): Promise<void> {
  if (ids.length === 0) return;
  await db
    .updateTable("hosts")
    .set({ lease_until: leaseUntil })
    .where("id", "in", ids)
    .where("lease_until", "<", leaseUntil)
    .execute();
}

function toHost(row: Selectable<HostsTable>): Host {
  return {
    id: row.id,
    name: HostName.parse(row.name),
    address: row.address,
    port: row.port,
    labels: Labels.parse(JSON.parse(row.labels_json)),
    hostKey: row.host_key,
    enrolledAt: row.enrolled_at,
    lastSeenAt: row.last_seen_at,
    removed: row.removed_at !== null,
    bundleVersion: row.bundle_version,
    revocationSequence: row.revocation_sequence,
    facts: row.facts_json === null ? null : HostFacts.parse(JSON.parse(row.facts_json)),
  };
}
