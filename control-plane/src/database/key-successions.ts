import type { KeyKind } from "@sallyport/core/messages/key-succession.ts";
import type { Database, KeySuccessionsTable } from "./tables.ts";

/** Notes which key a kind began with, once; returns what was noted. An empty line notes nothing. */
export async function noteFirstKey(db: Database, kind: KeyKind, line: string): Promise<string> {
  const find = () =>
    db.selectFrom("first_keys").select("public_key").where("kind", "=", kind).executeTakeFirst();
  const known = await find();
  if (known !== undefined || line === "") return known?.public_key ?? "";
  await db
    .insertInto("first_keys")
    .values({ kind, public_key: line })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return (await find())?.public_key ?? line;
}

/** All successions; those of one kind in their order. */
export function keySuccessions(db: Database): Promise<KeySuccessionsTable[]> {
  return db.selectFrom("key_successions").selectAll().orderBy("kind").orderBy("number").execute();
}

/** Begins a succession; false when the key has a successor already, whoever was first. */
export async function addSuccession(db: Database, succession: KeySuccessionsTable): Promise<boolean> {
  const added = await db
    .insertInto("key_successions")
    .values(succession)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (added.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** Has the new key sign; false when it does already. */
export async function switchKey(
  db: Database,
  { kind, number }: Pick<KeySuccessionsTable, "kind" | "number">,
  at: number,
): Promise<boolean> {
  const changed = await db
    .updateTable("key_successions")
    .set({ switched_at: at })
    .where("kind", "=", kind)
    .where("number", "=", number)
    .where("switched_at", "is", null)
    .executeTakeFirst();
  return changed.numUpdatedRows > 0n;
}

/** Ends a succession with the new key's word that the old one is over; false when it was ended already. */
export async function finishSuccession(
  db: Database,
  { kind, number }: Pick<KeySuccessionsTable, "kind" | "number">,
  end: { retirement: string; at: number },
): Promise<boolean> {
  const changed = await db
    .updateTable("key_successions")
    .set({ retirement_json: end.retirement, finished_at: end.at })
    .where("kind", "=", kind)
    .where("number", "=", number)
    .where("switched_at", "is not", null)
    .where("finished_at", "is", null)
    .executeTakeFirst();
  return changed.numUpdatedRows > 0n;
}

/** Keeps what a host trusts, in place of what it said before. */
export async function notePinnedKeys(
  db: Database,
  hostId: string,
  keys: readonly string[],
  at: number,
): Promise<void> {
  const row = { keys_json: JSON.stringify(keys), noted_at: at };
  await db
    .insertInto("host_pinned_keys")
    .values({ host_id: hostId, ...row })
    .onConflict((conflict) => conflict.column("host_id").doUpdateSet(row))
    .execute();
}

/** What a host said last that it trusts; undefined before it has said anything. */
export async function pinnedKeys(db: Database, hostId: string): Promise<string[] | undefined> {
  const row = await db
    .selectFrom("host_pinned_keys")
    .select("keys_json")
    .where("host_id", "=", hostId)
    .executeTakeFirst();
  return row && JSON.parse(row.keys_json);
}

/** Keeps which host CA's certificates a host has. */
export async function noteCertifiedBy(
  db: Database,
  hostId: string,
  cas: readonly string[],
  at: number,
): Promise<void> {
  const row = { cas_json: JSON.stringify(cas), noted_at: at };
  await db
    .insertInto("host_certified_by")
    .values({ host_id: hostId, ...row })
    .onConflict((conflict) => conflict.column("host_id").doUpdateSet(row))
    .execute();
}

/** A host that counts, and what it said last: the keys that it trusts, and the CAs of its host certificates. */
export interface HostKeys {
  name: string;
  pinned: string[];
  certifiedBy: string[];
}

/** Hosts that were enrolled or heard from since, with what they said of keys. */
export async function hostKeys(db: Database, since: number): Promise<HostKeys[]> {
  const rows = await db
    .selectFrom("hosts")
    .leftJoin("host_pinned_keys", "host_pinned_keys.host_id", "hosts.id")
    .leftJoin("host_certified_by", "host_certified_by.host_id", "hosts.id")
    .select(["hosts.name", "host_pinned_keys.keys_json", "host_certified_by.cas_json"])
    .where("hosts.removed_at", "is", null)
    .where((where) =>
      where.or([where("hosts.last_seen_at", ">=", since), where("hosts.enrolled_at", ">=", since)]),
    )
    .orderBy("hosts.name")
    .execute();
  const list = (json: string | null): string[] => JSON.parse(json ?? "[]");
  return rows.map((row) => ({
    name: row.name,
    pinned: list(row.keys_json),
    certifiedBy: list(row.cas_json),
  }));
}
