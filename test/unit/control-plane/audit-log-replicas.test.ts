import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { audit } from "@sallyport/control-plane/audit/audit.ts";
import { openAuditLog } from "@sallyport/control-plane/audit/audit-log.ts";
import { treeHeadAt } from "@sallyport/control-plane/audit/tree-head.ts";
import { KeyConfiguration } from "@sallyport/control-plane/keys/key-configuration.ts";
import { KeyRing } from "@sallyport/control-plane/keys/key-ring.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { parseCheckpoint } from "@sallyport/core/transparency/checkpoint.ts";
import { makeWorld, type World } from "./support/world.ts";

describe("the audit log, signed by two", () => {
  let world: World;
  let directory: string;
  beforeEach(async () => {
    world = await makeWorld();
    directory = mkdtempSync(join(tmpdir(), "sallyport-audit-"));
    mkdirSync(join(directory, "keys"), { mode: 0o700 });
  });
  afterEach(async () => {
    await world.db.destroy();
    rmSync(directory, { recursive: true });
  });

  const open = (name = "keys") =>
    openAuditLog({
      ...world,
      ring: new KeyRing(join(directory, name), KeyConfiguration.parse({})),
      url: "https://sallyport.example.com",
    });
  const grow = async (from: number, to: number) => {
    for (let n = from; n < to; n++) {
      const event = { type: "host-event" as const, actor: "hst_1", data: { n } };
      await audit(world.db, world.environment, event);
    }
  };
  /** The database as an older backup has it, or a standby that missed the last commits. */
  const setBack = async (size: number) => {
    const { db } = world;
    await db.deleteFrom("audit_events").where("leaf_index", ">=", size).execute();
    for (const { level, position } of await db.selectFrom("audit_nodes").selectAll().execute()) {
      if ((position + 1) * 2 ** level <= size) continue;
      await db
        .deleteFrom("audit_nodes")
        .where("level", "=", level)
        .where("position", "=", position)
        .execute();
    }
    await db.updateTable("audit_tree").set({ size }).execute();
    await db.deleteFrom("audit_checkpoints").where("size", ">", size).execute();
  };

  it("goes on from what the other has signed, also beside keys that are a copy", async () => {
    await grow(0, 2);
    const a = await open();
    cpSync(join(directory, "keys"), join(directory, "copy"), { recursive: true });
    const b = await open("copy");
    for (let size = 3; size < 12; size++) {
      await grow(size - 1, size);
      const [one, other] = await Promise.all([a.checkpoint(), b.checkpoint()]);
      assert.equal(one.note, other.note);
      assert.deepEqual(one.size, size);
      const { root } = parseCheckpoint(one.note);
      assert.deepEqual({ size, root }, await treeHeadAt(world.db, size));
    }
    await grow(11, 12);
    const { note } = await a.checkpoint();
    await grow(12, 13);
    assert.notEqual((await b.checkpoint()).note, note);
    for (const name of ["keys", "copy"]) {
      const file = readFileSync(join(directory, name, "audit-log.checkpoint"), "utf8");
      assert.ok(parseCheckpoint(file).size >= 12);
    }
  });

  it("signs no second history when the database is set back behind what the other has signed", async () => {
    await grow(0, 2);
    const b = await open();
    const a = await open();
    await grow(2, 6);
    assert.equal((await a.checkpoint()).size, 6);
    await setBack(3);
    await grow(100, 105);
    const inconsistent = (error: unknown) => isSallyportError(error, "log-inconsistent");
    await assert.rejects(a.checkpoint(), inconsistent);
    await assert.rejects(b.checkpoint(), inconsistent);
    await assert.rejects(open(), inconsistent);
  });

  it("signs no second history of one whose newest checkpoint is in the database only", async () => {
    await grow(0, 2);
    const a = await open();
    cpSync(join(directory, "keys"), join(directory, "copy"), { recursive: true });
    const b = await open("copy");
    await grow(2, 6);
    await a.checkpoint();
    const signed = await world.db.selectFrom("audit_checkpoints").selectAll().execute();
    await setBack(3);
    await world.db.deleteFrom("audit_checkpoints").execute();
    await world.db.insertInto("audit_checkpoints").values(signed).execute();
    await grow(100, 105);
    await assert.rejects(b.checkpoint(), (error) => isSallyportError(error, "log-inconsistent"));
  });
});
