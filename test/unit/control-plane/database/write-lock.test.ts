import assert from "node:assert/strict";
import { inTransaction } from "@sallyport/control-plane/database/open-database.ts";
import {
  addRevocation,
  listRevocations,
  revocationSequence,
} from "@sallyport/control-plane/database/revocations.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { exclusively } from "@sallyport/control-plane/database/write-lock.ts";
import { newId } from "@sallyport/control-plane/environment.ts";
import { sql } from "kysely";
import { makeWorld, type World } from "../support/world.ts";

describe("one writer at a time", () => {
  let world: World;
  beforeEach(async () => {
    world = await makeWorld();
  });
  afterEach(() => world.db.destroy());

  const entry = () => ({
    id: newId(world.environment, "rev"),
    level: "key" as const,
    target: "t",
    at: 1,
    by: "b",
    reason: "r",
  });
  const add = (db: Database, id: string) =>
    db.insertInto("challenges").values({ challenge: id, expires_at: 1 }).execute();
  const challenges = async () =>
    (await world.db.selectFrom("challenges").select("challenge").execute())
      .map((row) => row.challenge)
      .toSorted();

  it("gives numbers without gaps to many at once", async () => {
    const added = await Promise.all(Array.from({ length: 50 }, () => addRevocation(world.db, entry())));
    assert.deepEqual(
      added.map((one) => one.sequence).toSorted((one, other) => one - other),
      Array.from({ length: 50 }, (_, n) => n + 1),
    );
    assert.equal((await listRevocations(world.db)).length, 50);
  });

  it("shows what the one before has stored", async () => {
    const read = Array.from({ length: 20 }, () =>
      inTransaction(world.db, async (db) => {
        const before = await revocationSequence(db);
        await addRevocation(db, entry());
        return before;
      }),
    );
    assert.deepEqual(
      await Promise.all(read),
      Array.from({ length: 20 }, (_, n) => n),
    );
  });

  it("runs a transaction in a transaction as a part of it", async () => {
    await assert.rejects(
      inTransaction(world.db, async (db) => {
        await inTransaction(db, (inner) => add(inner, "inner"));
        throw new Error("no");
      }),
      /no/,
    );
    assert.deepEqual(await challenges(), []);
  });

  it("undoes what fails alone, however many are stored together", async () => {
    const works = Array.from({ length: 40 }, (_, index) =>
      inTransaction(world.db, async (db) => {
        await add(db, `many-${index}`);
        if (index % 3 === 1) throw new Error(`not ${index}`);
        // The database's own complaints undo no more than that either.
        if (index % 3 === 2) await add(db, "many-0");
        return index;
      }),
    );
    const outcomes = await Promise.allSettled(works);
    const stored = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    assert.deepEqual(stored, [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39]);
    assert.deepEqual(await challenges(), stored.map((index) => `many-${index}`).toSorted());
  });

  it("tells nobody that it is stored before it is, and everybody when it cannot be", async () => {
    // Violated only when the transaction is stored.
    const dangling = (db: Database) =>
      sql`insert into late (id, parent) values (1, 'nobody')`.execute(db).then(() => "stored");
    await sql`create table late (id integer primary key, parent text references members (id) deferrable initially deferred)`.execute(
      world.db,
    );
    const works = [
      inTransaction(world.db, () => Promise.resolve("first")),
      inTransaction(world.db, (db) => add(db, "innocent")),
      inTransaction(world.db, dangling),
    ];
    const outcomes = await Promise.allSettled(works);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["fulfilled", "rejected", "rejected"],
    );
    assert.deepEqual(await challenges(), []);
    await inTransaction(world.db, (db) => add(db, "later"));
    assert.deepEqual(await challenges(), ["later"]);
  });

  it("stores nothing of a group whose transaction the database has ended", async () => {
    const works = [
      inTransaction(world.db, () => Promise.resolve("alone")),
      inTransaction(world.db, (db) => add(db, "before")),
      // As SQLite does by itself when the disk is full.
      inTransaction(world.db, async (db) => {
        await sql`rollback`.execute(db);
        throw new Error("disk full");
      }),
      inTransaction(world.db, (db) => add(db, "after")),
    ];
    const outcomes = await Promise.allSettled(works);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["fulfilled", "rejected", "rejected", "rejected"],
    );
    assert.deepEqual(await challenges(), []);
    await inTransaction(world.db, (db) => add(db, "later"));
    assert.deepEqual(await challenges(), ["later"]);
  });

  it("forgets a transaction that fails inside exclusive work, and keeps what came after", async () => {
    await exclusively(world.db, "name", async (db) => {
      await assert.rejects(
        inTransaction(db, async (inner) => {
          await add(inner, "failed");
          throw new Error("no");
        }),
        /no/,
      );
      await inTransaction(db, (inner) => add(inner, "kept"));
    });
    await inTransaction(world.db, (db) => add(db, "later"));
    assert.deepEqual(await challenges(), ["kept", "later"]);
  });

  it("lets writers go on while exclusive work takes long", async () => {
    const gone = Promise.withResolvers<void>();
    const long = exclusively(world.db, "name", () => gone.promise);
    await inTransaction(world.db, (db) => add(db, "meanwhile"));
    gone.resolve();
    await long;
    assert.deepEqual(await challenges(), ["meanwhile"]);
  });
});
