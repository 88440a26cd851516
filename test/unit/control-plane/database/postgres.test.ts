import assert from "node:assert/strict";
import { audit } from "@sallyport/control-plane/audit/audit.ts";
import { treeSize } from "@sallyport/control-plane/database/audit-tree.ts";
import { inTransaction, openDatabase } from "@sallyport/control-plane/database/open-database.ts";
import {
  checkDatabaseUrl,
  describeDatabaseUrl,
} from "@sallyport/control-plane/database/postgres/database-url.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { systemRandom } from "@sallyport/control-plane/environment.ts";
import { sql } from "kysely";
import { type PostgresServer, startPostgres } from "../../../fixtures/postgres.ts";

describe("PostgreSQL", () => {
  let server: PostgresServer;
  let db: Database;
  const note = () =>
    audit(
      db,
      { clock: Date.now, random: systemRandom },
      { type: "host-event", actor: "test\0", data: { text: "a\0b" } },
    );

  before(async () => {
    server = await startPostgres();
    db = await openDatabase(server.url("postgres"));
  });
  after(async () => {
    await db?.destroy();
    await server?.close();
  });

  it("gives numbers as numbers, or an error where they are too large", async () => {
    const { rows } = await sql<
      Record<string, unknown>
    >`select 9007199254740991::bigint as big, 12::numeric as n,
      1.5::numeric as fraction, 1.25::double precision as d, count(*) as count`.execute(db);
    assert.deepEqual(rows, [{ big: 9007199254740991, n: 12, fraction: 1.5, d: 1.25, count: 1 }]);
    await assert.rejects(sql`select 9007199254740993::bigint`.execute(db), RangeError);
  });

  it("has U+FFFD where it cannot hold U+0000, in the leaf as in the row", async () => {
    await note();
    const row = await db.selectFrom("audit_events").selectAll().executeTakeFirstOrThrow();
    assert.deepEqual([row.actor, row.data_json], ["test\ufffd", '{"text":"a\\u0000b"}']);
  });

  it("waits for the disk, whatever the server's configuration says", async () => {
    const name =
      (await sql<{ name: string }>`select current_database() as name`.execute(db)).rows[0]?.name ?? "";
    await sql`alter database ${sql.ref(name)} set synchronous_commit = off`.execute(db);
    const other = await openDatabase(server.url("postgres"));
    const { rows } = await sql<{
      setting: string;
    }>`select current_setting('synchronous_commit') as setting`.execute(other);
    await other.destroy();
    await sql`alter database ${sql.ref(name)} reset synchronous_commit`.execute(db);
    assert.equal(rows[0]?.setting, "on");
  });

  it("comes back by itself after the server was killed, with everything that was committed", async () => {
    const before = await treeSize(db);
    for (let n = 0; n < 5; n++) await note();
    const inside = inTransaction(db, async (transaction) => {
      await transaction.deleteFrom("audit_events").execute();
      await server.kill();
      // Between two queries nobody waits for an answer that could tell.
      await new Promise((resolve) => setTimeout(resolve, 50));
      return treeSize(transaction);
    });
    await assert.rejects(inside, /terminated|closed|ECONNRESET|not queryable/);
    await assert.rejects(treeSize(db), /ECONNREFUSED|terminated/);
    await assert.rejects(note());
    await server.start();
    assert.equal(await treeSize(db), before + 5);
    await note();
    assert.equal((await db.selectFrom("audit_events").select("id").execute()).length, before + 6);
  });

  it("lets a process that has nothing else to do end", async () => {
    const other = await openDatabase(server.url("postgres"));
    await treeSize(other);
    await other.destroy();
    const { rows } = await sql<{ count: number }>`select count(*) as count from pg_stat_activity
      where application_name = 'sallyport' and pid <> pg_backend_pid() and datname = current_database()`.execute(
      db,
    );
    assert.ok((rows[0]?.count ?? 99) < 5);
  });

  const refused: [url: string, why: RegExp][] = [
    ["mysql://u:secret@db/x", /must look like/],
    ["postgres://u:secret@[::bad/x", /must look like/],
    ["postgres://u:secret@db.example.com/x", /another machine: add \?sslmode=verify-full/],
    ["postgres://u:secret@localhost/x?host=db.example.com", /another machine/],
    ["postgres://u:secret@db.example.com/x?sslmode=require", /`sslmode` must be verify-full/],
    ["postgres://u:secret@db.example.com/x?sslmode=prefer", /`sslmode` must be verify-full/],
    ["postgres:/u:secret@db.example.com/x", /must look like .* %2F and %40/],
    ["postgres://u:12/secret@db.example.com/x?sslmode=disable", /must look like .* %2F and %40/],
    ["postgres://u:100%secret@localhost/x", /percent sign in it must be written %25/],
    ["postgres://u:secret@localhost/%zz", /percent sign in it must be written %25/],
  ];
  for (const [url, why] of refused) {
    it(`is not ${url}`, () => {
      assert.throws(
        () => checkDatabaseUrl(url),
        (error: Error) => {
          assert.match(error.message, why);
          assert.ok(!error.message.includes("secret"));
          return true;
        },
      );
    });
  }
  for (const [url, shown] of [
    ["postgres://u:secret@127.0.0.1:5433/sallyport", "sallyport at 127.0.0.1:5433"],
    ["postgresql://u:secret@[::1]/sallyport", "sallyport at [::1]"],
    ["postgres:///sallyport?host=/run/postgresql", "sallyport at /run/postgresql"],
    [
      "postgres://u:secret@db.example.com/x?sslmode=verify-full&sslrootcert=/etc/ca.pem",
      "x at db.example.com",
    ],
    ["postgres://u:secret@10.0.0.5/x?sslmode=disable", "x at 10.0.0.5"],
  ] as const) {
    it(`may be ${url}`, () => assert.equal(describeDatabaseUrl(checkDatabaseUrl(url)), shown));
  }
});
