import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { audit } from "@sallyport/control-plane/audit/audit.ts";
import { type AuditLog, openAuditLog } from "@sallyport/control-plane/audit/audit-log.ts";
import { type AuditedEvent, auditLeaf } from "@sallyport/control-plane/audit/leaf.ts";
import { renewAuditLog } from "@sallyport/control-plane/audit/renew-audit-log.ts";
import { treeHeadAt } from "@sallyport/control-plane/audit/tree-head.ts";
import { listAuditEvents } from "@sallyport/control-plane/database/audit-events.ts";
import { treeSize } from "@sallyport/control-plane/database/audit-tree.ts";
import { MIGRATIONS } from "@sallyport/control-plane/database/migrations/index.ts";
import { inTransaction, openDatabase } from "@sallyport/control-plane/database/open-database.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { KeyConfiguration } from "@sallyport/control-plane/keys/key-configuration.ts";
import { KeyRing } from "@sallyport/control-plane/keys/key-ring.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { openCheckpoint } from "@sallyport/core/transparency/checkpoint.ts";
import { parseVerifierKey } from "@sallyport/core/transparency/signed-note.ts";
import { naiveRoot } from "../core/transparency/naive-tree.ts";

const environment = {
  clock: () => 1_800_000_000_123,
  random: (length: number) => randomBytes(length),
  log: { info: () => {}, warn: () => {}, error: () => {} },
};
const note = (db: Database, n: number) =>
  audit(db, environment, { type: "host-event", actor: "hst_1", data: { n } });
const ring = (directory: string) => new KeyRing(directory, KeyConfiguration.parse({}));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** The root by definition, from the events as they are stored. */
async function rootOfEvents(db: Database, size: number): Promise<string> {
  const events = (await listAuditEvents(db, 1_000_000)).reverse().slice(0, size);
  assert.deepEqual(
    events.map((event) => event.leaf_index),
    events.map((_event, index) => index),
  );
  return hex(naiveRoot(events.map((event) => Buffer.from(auditLeaf(event)))));
}

describe("the audit log", () => {
  let directory: string;
  let file: string;
  let keys: string;
  const opened: Database[] = [];
  const open = async (path = file) => {
    const db = await openDatabase(path);
    opened.push(db);
    return db;
  };
  const log = (db: Database, url = "https://sallyport.example.com") =>
    openAuditLog({ db, environment, ring: ring(keys), url });
  const refusal = async (work: Promise<unknown>): Promise<{ code: string; message: string }> => {
    try {
      await work;
    } catch (error) {
      if (isSallyportError(error)) return error;
      throw error;
    }
    throw new Error("it was not refused");
  };
  const openNote = (auditLog: AuditLog, text: string) =>
    openCheckpoint(text, parseVerifierKey(auditLog.verifierKey));

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-audit-"));
    file = join(directory, "sallyport.db");
    keys = join(directory, "keys");
    mkdirSync(keys, { mode: 0o700 });
  });
  afterEach(async () => {
    for (const db of opened.splice(0)) await db.destroy();
    rmSync(directory, { recursive: true, force: true });
  });

  it("has leaves that stay as they are for ever", () => {
    const event: AuditedEvent = {
      id: "evt_00000000000000000000000001",
      at_ms: 1_800_000_000_123,
      type: "signed-in",
      actor: 'Zo\u00eb "Z"',
      data_json: '{"a":[1],"b":null}',
    };
    const leaf =
      '{"actor":"Zo\u00eb \\"Z\\"","at":1800000000123,"data":{"a":[1],"b":null},"id":"evt_00000000000000000000000001","type":"signed-in","v":1}';
    assert.equal(auditLeaf(event), leaf);
    assert.equal(
      hex(naiveRoot([Buffer.from(leaf)])),
      "b8a215df3911ff4aff9cbd06b3c630d24f90a29cc0f07d0286f02b7b4000dff2",
    );
  });

  it("has one leaf for each event, in order, also when many come at once", async () => {
    const db = await open();
    await Promise.all(Array.from({ length: 70 }, (_, n) => note(db, n)));
    assert.equal(await treeSize(db), 70);
    for (const size of [0, 1, 2, 33, 64, 69, 70])
      assert.equal(hex((await treeHeadAt(db, size)).root), await rootOfEvents(db, size));
  });

  it("has neither event nor leaf of what was rolled back", async () => {
    const db = await open();
    await note(db, 0);
    await assert.rejects(
      inTransaction(db, async (transaction) => {
        await note(transaction, 1);
        throw new Error("rolled back");
      }),
      /rolled back/,
    );
    await note(db, 2);
    assert.equal(await treeSize(db), 2);
    assert.equal(hex((await treeHeadAt(db, 2)).root), await rootOfEvents(db, 2));
  });

  it("takes text that is no Unicode, and members in any order", async () => {
    const db = await open();
    await audit(db, environment, {
      type: "host-event",
      actor: "a\ud800",
      data: { z: "\udfff", a: 1, u: undefined },
    });
    const [event] = await listAuditEvents(db, 1);
    assert.deepEqual([event?.actor, event?.data_json], ["a\ufffd", '{"a":1,"z":"\ufffd"}']);
  });

  it("writes few rows for an event, however many there are", async () => {
    const db = await open();
    for (let n = 0; n < 130; n++) await note(db, n);
    const { nodes } = await db
      .selectFrom("audit_nodes")
      .select((eb) => eb.fn.countAll<number>().as("nodes"))
      .executeTakeFirstOrThrow();
    assert.ok(nodes < 2 * 130, `${nodes}`);
  });

  for (const [index, last] of ["0001-initial", "0002-grants", "0003-host-facts"].entries()) {
    it(`takes over the events of a database at ${last}, in their order`, async () => {
      const older = Object.fromEntries(Object.entries(MIGRATIONS).slice(0, index + 1));
      await (await openDatabase(file, older)).destroy();
      const sqlite = new DatabaseSync(file);
      const insert = sqlite.prepare("insert into audit_events values (?, ?, 'revoked', 'sec', ?)");
      for (let n = 0; n < 1100; n++)
        insert.run(
          `evt_${String(n).padStart(26, "0")}`,
          1000 + Math.floor(n / 3),
          `{"z":${n},"a":"\\u00e4"}`,
        );
      sqlite.close();

      const db = await open();
      assert.equal(await treeSize(db), 1100);
      assert.equal(hex((await treeHeadAt(db, 1100)).root), await rootOfEvents(db, 1100));
      const [newest] = await listAuditEvents(db, 1);
      assert.deepEqual([newest?.leaf_index, newest?.data_json], [1099, '{"a":"\u00e4","z":1099}']);
      await note(db, 1100);
      assert.equal(hex((await treeHeadAt(db, 1101)).root), await rootOfEvents(db, 1101));
    });
  }

  it("is taken over once, also when the upgrade is not noted as done", async () => {
    // As a version left it that noted migrations in a transaction of their own, and was killed in between.
    const older = Object.fromEntries(Object.entries(MIGRATIONS).slice(0, 4));
    const db = await openDatabase(file, older);
    await note(db, 0);
    await db.destroy();
    const sqlite = new DatabaseSync(file);
    sqlite.exec("delete from kysely_migration where name = '0004-audit-log'");
    sqlite.close();
    assert.equal(await treeSize(await open()), 1);
  });

  it("agrees with its tree after kill -9, with everything that was committed", async function () {
    this.timeout(60_000);
    const program = new URL("support/append-for-ever.ts", import.meta.url).pathname;
    let total = 0;
    for (const enough of [20, 50, 110]) {
      const child = spawn(process.execPath, [program, file], { stdio: ["ignore", "pipe", "inherit"] });
      let said = "";
      for await (const chunk of child.stdout) {
        said += String(chunk);
        if (said.split("\n").length > enough) child.kill("SIGKILL");
      }
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      total += said.split("\n").length - 1;
      const db = await open();
      const size = await treeSize(db);
      // One may have been committed and not been told of.
      assert.ok(size >= total && size <= total + 1, `${size} of ${total}`);
      total = size;
      assert.equal(hex((await treeHeadAt(db, size)).root), await rootOfEvents(db, size));
      await (await log(db)).close();
      await db.destroy();
    }
  });

  describe("checkpoint", () => {
    it("is signed when the tree has grown, kept, and written beside the keys for their owner only", async () => {
      const db = await open();
      await note(db, 0);
      const auditLog = await log(db);
      assert.match(auditLog.verifierKey, /^sallyport\.example\.com\/audit-[0-9a-f]{8}\+[0-9a-f]{8}\+/);
      await note(db, 1);
      await note(db, 2);
      const { note: signed, size } = await auditLog.checkpoint();
      const checkpoint = openNote(auditLog, signed);
      assert.deepEqual([size, checkpoint.size], [3, 3]);
      assert.equal(hex(checkpoint.root), await rootOfEvents(db, 3));
      assert.equal(readFileSync(join(keys, "audit-log.checkpoint"), "utf8"), signed);
      for (const name of readdirSync(keys)) assert.equal(statSync(join(keys, name)).mode & 0o777, 0o600);
      assert.deepEqual(await auditLog.checkpoint(), { note: signed, size });
      const kept = await db.selectFrom("audit_checkpoints").select("size").orderBy("size").execute();
      assert.deepEqual(kept, [{ size: 1 }, { size: 3 }]);
    });

    it("is signed by itself, and what another process appended is in it", async () => {
      const db = await open();
      const auditLog = await log(db);
      auditLog.start();
      await note(await open(), 0);
      const signed = () => openNote(auditLog, readFileSync(join(keys, "audit-log.checkpoint"), "utf8"));
      const until = Date.now() + 20_000;
      while (signed().size !== 1 && Date.now() < until)
        await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(signed().size, 1);
      await auditLog.close();
    });

    it("has the same key and name after a restart, and under another URL", async () => {
      const db = await open();
      const before = await log(db);
      const after = await log(db, "https://elsewhere.example.com/x/");
      assert.equal(after.verifierKey, before.verifierKey);
    });

    it("is not made for an older database, with what to do", async () => {
      const db = await open();
      for (let n = 0; n < 5; n++) await note(db, n);
      await (await log(db)).close();
      await db.destroy();
      const backup = join(directory, "backup.db");
      cpSync(file, backup);
      const later = await open();
      await note(later, 5);
      await (await log(later)).close();
      await later.destroy();

      const restored = await open(backup);
      const { code, message } = await refusal(log(restored));
      assert.equal(code, "log-inconsistent");
      assert.match(
        message,
        /has 5 entries, but the checkpoint in .*keys says that 6 were signed.*renew-audit-log/,
      );
      // As many entries as were signed, but others.
      await note(restored, 6);
      assert.match((await refusal(log(restored))).message, /6 entries, others than were signed/);
      const old = readFileSync(join(keys, "audit-log.checkpoint"), "utf8");
      const key = await renewAuditLog(
        { db: restored, environment, ring: ring(keys), url: "https://sallyport.example.com" },
        "restored from backup",
      );
      const renewed = await log(restored);
      assert.equal(renewed.verifierKey, key);
      assert.notEqual(openNote(renewed, (await renewed.checkpoint()).note).origin, old.split("\n")[0]);
      const [event] = await listAuditEvents(restored, 1);
      assert.deepEqual(
        [event?.type, JSON.parse(event?.data_json ?? "")],
        ["audit-log-renewed", { reason: "restored from backup", previous: old }],
      );
      assert.deepEqual(readdirSync(keys).sort(), [
        "audit-log.checkpoint",
        "audit-log.checkpoint.2027-01-15T08-00-00-123Z",
        "audit-log.pem",
        "audit-log.pem.2027-01-15T08-00-00-123Z",
      ]);
    });

    it("is not made for an empty database where there was one", async () => {
      const db = await open();
      await note(db, 0);
      await (await log(db)).close();
      assert.equal((await refusal(log(await open(join(directory, "empty.db"))))).code, "log-inconsistent");
    });

    const missing: [string, string[]][] = [
      ["its key", ["audit-log.pem"]],
      ["the newest checkpoint", ["audit-log.checkpoint"]],
      ["both", ["audit-log.pem", "audit-log.checkpoint"]],
    ];
    for (const [what, names] of missing) {
      it(`is not made without ${what}`, async () => {
        const db = await open();
        await log(db);
        for (const name of names) rmSync(join(keys, name));
        const { code, message } = await refusal(log(db));
        assert.equal(code, "config-invalid");
        assert.match(message, /audit-log\.(pem|checkpoint) is missing, but .*renew-audit-log/);
        if (names.includes("audit-log.pem")) assert.ok(!existsSync(join(keys, "audit-log.pem")));
      });
    }

    it("goes on where the first start was cut off after the key", async () => {
      const db = await open();
      await log(db);
      rmSync(join(keys, "audit-log.checkpoint"));
      await db.deleteFrom("audit_checkpoints").execute();
      await log(db);
    });

    it("is not made over a tree that was changed meanwhile", async () => {
      const db = await open();
      for (let n = 0; n < 4; n++) await note(db, n);
      const auditLog = await log(db);
      const before = await auditLog.checkpoint();
      const hash = Buffer.alloc(32, 1).toString("base64");
      await db.updateTable("audit_nodes").set({ hash }).where("level", "=", 2).execute();
      await note(db, 4);
      assert.equal((await refusal(auditLog.checkpoint())).code, "log-inconsistent");
      assert.equal(readFileSync(join(keys, "audit-log.checkpoint"), "utf8"), before.note);
    });

    it("is made again by a new log, over what is left of a tree that was changed", async () => {
      const db = await open();
      for (let n = 0; n < 4; n++) await note(db, n);
      await log(db);
      await db.deleteFrom("audit_events").where("leaf_index", "=", 1).execute();
      await db.deleteFrom("audit_nodes").where("level", "=", 0).execute();
      await assert.rejects(log(db));
      await renewAuditLog({ db, environment, ring: ring(keys), url: "https://new.example.com" }, "changed");
      await note(db, 4);
      const auditLog = await log(db);
      const { note: signed } = await auditLog.checkpoint();
      assert.equal(openNote(auditLog, signed).size, 5);
      assert.equal(hex(openNote(auditLog, signed).root), await rootOfEvents(db, 5));
    });

    it("is not made where the newest event was changed", async () => {
      const db = await open();
      await note(db, 0);
      await log(db);
      await db.updateTable("audit_events").set({ actor: "somebody else" }).execute();
      assert.equal((await refusal(log(db))).code, "log-inconsistent");
    });
  });
});
