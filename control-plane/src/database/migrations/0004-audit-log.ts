import { canonicalJson } from "@sallyport/core/canonical-json.ts";
import { GrowingTree } from "@sallyport/core/transparency/growing-tree.ts";
import { leafHash } from "@sallyport/core/transparency/hashing.ts";
import { type Kysely, sql } from "kysely";
import { type AuditedEvent, auditLeaf } from "../../audit/leaf.ts";

type Tables = {
  audit_events: AuditedEvent;
  audit_events_new: AuditedEvent & { leaf_index: number };
  audit_nodes: { level: number; position: number; hash: string };
  audit_tree: { id: number; size: number };
  recordings: { session_id: string; leaf_index: number | null };
};

const AT_ONCE = 500;

/** Audit events become leaves of a Merkle tree; those that are there in the order of their time. */
export async function up(database: Kysely<unknown>): Promise<void> {
  const db = database.withTables<Tables>();
  await (db.isTransaction ? migrate(db) : db.transaction().execute(migrate));
}

async function migrate(db: Kysely<Tables>): Promise<void> {
  // SQLite notes that this has run in a transaction of its own: after a crash in between it runs again.
  if ((await db.introspection.getTables()).some(({ name }) => name === "audit_tree")) return;
  await makeTables(db);
  const size = await copyEvents(db);
  await db.insertInto("audit_tree").values({ id: 1, size }).execute();
  await db.schema.dropTable("audit_events").execute();
  await db.schema.alterTable("audit_events_new").renameTo("audit_events").execute();
}

async function makeTables({ schema }: Kysely<Tables>): Promise<void> {
  await schema.alterTable("recordings").addColumn("leaf_index", "bigint").execute();
  await schema
    .createTable("audit_events_new")
    .addColumn("leaf_index", "bigint", (c) => c.primaryKey())
    .addColumn("id", "text", (c) => c.notNull().unique())
    .addColumn("at_ms", "double precision", (c) => c.notNull())
    .addColumn("type", "text", (c) => c.notNull())
    .addColumn("actor", "text", (c) => c.notNull())
    .addColumn("data_json", "text", (c) => c.notNull())
    .execute();
  await schema
    .createTable("audit_nodes")
    .addColumn("level", "integer", (c) => c.notNull())
    .addColumn("position", "bigint", (c) => c.notNull())
    .addColumn("hash", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("audit_nodes_key", ["level", "position"])
    .execute();
  await schema
    .createIndex("audit_nodes_leaf")
    .on("audit_nodes")
    .column("hash")
    .where(sql.ref("level"), "=", sql.lit(0))
    .execute();
  await schema
    .createTable("audit_tree")
    .addColumn("id", "integer", (c) => c.primaryKey().check(sql`id = 1`))
    .addColumn("size", "bigint", (c) => c.notNull())
    .execute();
  await schema
    .createTable("audit_checkpoints")
    .addColumn("origin", "text", (c) => c.notNull())
    .addColumn("size", "bigint", (c) => c.notNull())
    .addColumn("note", "text", (c) => c.notNull())
    .addColumn("signed_at", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("audit_checkpoints_key", ["origin", "size"])
    .execute();
}

/** Copies the events that are there, numbered, and hashes them. Returns how many there are. */
async function copyEvents(db: Kysely<Tables>): Promise<number> {
  const tree = new GrowingTree();
  // For going on where the last batch ended; it goes with the table.
  await db.schema.createIndex("audit_events_time").on("audit_events").columns(["at_ms", "id"]).execute();
  for (let last: AuditedEvent | undefined; ; ) {
    let next = db.selectFrom("audit_events").selectAll().orderBy("at_ms").orderBy("id").limit(AT_ONCE);
    if (last !== undefined) {
      const { at_ms, id } = last;
      next = next.where(({ eb, refTuple, tuple }) => eb(refTuple("at_ms", "id"), ">", tuple(at_ms, id)));
    }
    const events = await next.execute();
    if (events.length === 0) return tree.size;
    for (const old of events) await copyEvent(db, tree, old);
    last = events.at(-1);
  }
}

async function copyEvent(db: Kysely<Tables>, tree: GrowingTree, old: AuditedEvent): Promise<void> {
  const leaf_index = tree.size;
  const event = { ...old, data_json: canonicalData(old.data_json) };
  await db
    .insertInto("audit_events_new")
    .values({ leaf_index, ...event })
    .execute();
  for (const { level, index, hash } of tree.append(leafHash(auditLeaf(event)))) {
    const row = { level, position: index, hash: Buffer.from(hash).toString("base64") };
    await db.insertInto("audit_nodes").values(row).execute();
  }
  if (event.type !== "recording-complete") return;
  const { session } = JSON.parse(event.data_json) as { session: string };
  await db.updateTable("recordings").set({ leaf_index }).where("session_id", "=", session).execute();
}

function canonicalData(text: string): string {
  return canonicalJson(
    JSON.parse(text, (_key, value: unknown) => (typeof value === "string" ? value.toWellFormed() : value)),
  );
}
