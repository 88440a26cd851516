import assert from "node:assert/strict";
import fs, { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { audit } from "@sallyport/control-plane/audit/audit.ts";
import { openAuditLog } from "@sallyport/control-plane/audit/audit-log.ts";
import { treeHeadAt } from "@sallyport/control-plane/audit/tree-head.ts";
import { newestCheckpoint } from "@sallyport/control-plane/database/audit-checkpoints.ts";
import { treeSize } from "@sallyport/control-plane/database/audit-tree.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { KeyConfiguration } from "@sallyport/control-plane/keys/key-configuration.ts";
import { KeyRing } from "@sallyport/control-plane/keys/key-ring.ts";
import { parseCheckpoint } from "@sallyport/core/transparency/checkpoint.ts";
import sinon from "sinon";
import { dyingDatabase } from "../support/dying-database.ts";
import { makeWorld, type World } from "../support/world.ts";

describe("an audit log whose process dies over a checkpoint", () => {
  let world: World;
  let directory: string;
  beforeEach(async () => {
    world = await makeWorld();
    directory = mkdtempSync(join(tmpdir(), "sallyport-audit-"));
    mkdirSync(join(directory, "keys"), { mode: 0o700 });
  });
  afterEach(async () => {
    sinon.restore();
    syncBuiltinESMExports();
    await world.db.destroy();
    rmSync(directory, { recursive: true });
  });

  const open = (db: Database = world.db) =>
    openAuditLog({
      ...world,
      db,
      ring: new KeyRing(join(directory, "keys"), KeyConfiguration.parse({})),
      url: "https://sallyport.example.com",
    });
  const grow = async (count: number) => {
    for (let n = 0; n < count; n++)
      await audit(world.db, world.environment, { type: "host-event", actor: "hst_1", data: { n } });
  };
  const file = () => join(directory, "keys", "audit-log.checkpoint");
  const inFile = () => readFileSync(file(), "utf8");
  const inDatabase = () => newestCheckpoint(world.db, parseCheckpoint(inFile()).origin);
  const dying = () => dyingDatabase(world.db, { kind: "InsertQueryNode", table: "audit_checkpoints" });
  /** After the restart: it grows, is signed, and file, database and tree say the same. */
  const goesOn = async () => {
    const log = await open();
    await grow(2);
    const { note, size } = await log.checkpoint();
    assert.equal(size, await treeSize(world.db));
    assert.deepEqual([inFile(), await inDatabase()], [note, note]);
    const rows = await world.db.selectFrom("audit_checkpoints").select(["origin", "note"]).execute();
    assert.equal(new Set(rows.map(({ origin }) => origin)).size, 1);
    for (const row of rows) {
      const { size, root } = parseCheckpoint(row.note);
      assert.deepEqual({ size, root }, await treeHeadAt(world.db, size));
    }
    await (await open()).checkpoint();
  };

  it("goes on from the file when the database has not that checkpoint yet", async () => {
    await grow(3);
    const before = (await (await open()).checkpoint()).note;
    await grow(2);
    const log = await open(dying());
    await assert.rejects(log.checkpoint(), /killed/);
    assert.equal(parseCheckpoint(inFile()).size, 5);
    assert.equal(await inDatabase(), before);
    await goesOn();
  });

  it("goes on where the very first checkpoint is in the file alone", async () => {
    await grow(1);
    await assert.rejects(open(dying()), /killed/);
    assert.ok(existsSync(file()));
    assert.equal(await inDatabase(), undefined);
    await goesOn();
  });

  it("goes on from the old file, with the new one half written beside it", async () => {
    await grow(3);
    const before = (await (await open()).checkpoint()).note;
    await grow(2);
    const log = await open();
    sinon.stub(fs, "renameSync").throws(new Error("killed"));
    syncBuiltinESMExports();
    await assert.rejects(log.checkpoint(), /killed/);
    sinon.restore();
    syncBuiltinESMExports();
    writeFileSync(`${file()}.new`, readFileSync(`${file()}.new`).subarray(0, 20));
    assert.deepEqual([inFile(), await inDatabase()], [before, before]);
    await goesOn();
    assert.ok(!existsSync(`${file()}.new`));
  });
});
