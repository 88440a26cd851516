import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MIGRATIONS } from "@sallyport/control-plane/database/migrations/index.ts";
import { openDatabase } from "@sallyport/control-plane/database/open-database.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { sql } from "kysely";
import { onPostgres, startPostgres } from "../../../fixtures/postgres.ts";
import { printed, run } from "../../../fixtures/processes.ts";

const PROGRAM = new URL("../support/migrate-slowly.ts", import.meta.url).pathname;

describe("bringing a database up to date", () => {
  let location: (name: string) => Promise<string>;
  let close: () => Promise<void>;
  before(async () => {
    if (onPostgres) {
      const server = await startPostgres();
      location = async (name) => {
        const admin = await openDatabase(server.url("postgres"), {});
        await sql`create database ${sql.ref(name)}`.execute(admin);
        await admin.destroy();
        return server.url(name);
      };
      close = server.close;
    } else {
      const directory = mkdtempSync(join(tmpdir(), "sallyport-migrations-"));
      location = async (name) => join(directory, `${name}.db`);
      close = async () => rmSync(directory, { recursive: true });
    }
  });
  after(() => close());

  const done = async (db: Database) => {
    const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
    return rows.map(({ name }) => name);
  };
  const names = Object.keys(MIGRATIONS).toSorted();

  for (const last of ["0001-initial", "0003-host-facts", names.at(-1) ?? ""]) {
    it(`does all of it or nothing when it is killed after ${last}`, async () => {
      const where = await location(`killed_${last.slice(0, 4)}`);
      const child = spawn(process.execPath, [PROGRAM, where, last], { stdio: ["ignore", "pipe", "inherit"] });
      await printed(child, /in the middle/);
      child.kill("SIGKILL");
      await once(child, "exit");
      const db = await openDatabase(where);
      assert.deepEqual(await done(db), names);
      await db.destroy();
    });
  }

  it("does it once when several begin at the same time", async () => {
    const where = await location("together");
    const all = await Promise.all(Array.from({ length: 3 }, () => run([process.execPath, PROGRAM, where])));
    assert.deepEqual(
      all.map(({ status, stderr }) => [status, stderr]),
      all.map(() => [0, ""]),
    );
    const db = await openDatabase(where);
    assert.deepEqual(await done(db), names);
    await db.destroy();
  });

  it("says of a database that a newer version wrote which one it is", async () => {
    const where = await location("newer");
    const nothing = { up: async () => {} };
    await (await openDatabase(where, { ...MIGRATIONS, "9999-newer": nothing })).destroy();
    await assert.rejects(openDatabase(where), (error: Error) => {
      assert.match(error.message, /newer.* cannot be opened: .*9999-newer.*written by a newer Sallyport/);
      assert.ok(!error.message.includes("postgres:"));
      return true;
    });
  });
});
