import type { ReadSubtree, Subtree } from "@sallyport/core/transparency/subtrees.ts";
import type { Database } from "./tables.ts";

/*
 * The Merkle tree over the audit events: complete subtrees by level and place, which never change, and the number of
 * leaves. That row is also what makes appends wait for one another.
 */

const HASHES_AT_ONCE = 200;

/** Leaves in the tree. */
export async function treeSize(db: Database): Promise<number> {
  const { size } = await db.selectFrom("audit_tree").select("size").executeTakeFirstOrThrow();
  return size;
}

/** Takes the next place in the tree; inside the transaction that fills it. */
export async function takeLeafIndex(db: Database): Promise<number> {
  const { size } = await db
    .updateTable("audit_tree")
    .set((eb) => ({ size: eb("size", "+", 1) }))
    .returning("size")
    .executeTakeFirstOrThrow();
  return size - 1;
}

/** Stores subtrees that a leaf completed. */
export async function addSubtrees(
  db: Database,
  subtrees: readonly (Subtree & { hash: Uint8Array })[],
): Promise<void> {
  const rows = subtrees.map(({ level, index, hash }) => ({
    level,
    position: index,
    hash: Buffer.from(hash).toString("base64"),
  }));
  await db.insertInto("audit_nodes").values(rows).execute();
}

/** Reads these subtrees, to be looked up while hashing. One that is not stored is an `Error` when it is looked up. */
export async function readSubtrees(db: Database, subtrees: readonly Subtree[]): Promise<ReadSubtree> {
  const hashes = new Map<string, Buffer>();
  for (let at = 0; at < subtrees.length; at += HASHES_AT_ONCE) {
    const wanted = subtrees.slice(at, at + HASHES_AT_ONCE);
    const rows = await db
      .selectFrom("audit_nodes")
      .selectAll()
      .where((eb) => eb.or(wanted.map(({ level, index }) => eb.and({ level, position: index }))))
      .execute();
    for (const { level, position, hash } of rows)
      hashes.set(`${level}/${position}`, Buffer.from(hash, "base64"));
  }
  return ({ level, index }) => {
    const hash = hashes.get(`${level}/${index}`);
    if (hash === undefined) throw new Error(`the audit log has no subtree ${index} of level ${level}`);
    return hash;
  };
}

/** The index of the leaf with this hash (base64); undefined when there is none. */
export async function leafIndexByHash(db: Database, hash: string): Promise<number | undefined> {
  const row = await db
    .selectFrom("audit_nodes")
    .select("position")
    .where("level", "=", 0)
    .where("hash", "=", hash)
    .executeTakeFirst();
  return row?.position;
}
