import assert from "node:assert/strict";
import { findEngagement } from "@sallyport/control-plane/database/engagements.ts";
import { dueRecordings, markDeleted } from "@sallyport/control-plane/database/recording-retention.ts";
import { recordingParts, replaceRecordingParts } from "@sallyport/control-plane/database/recordings.ts";
import { sessionById } from "@sallyport/control-plane/database/sessions.ts";
import { applyPolicy } from "@sallyport/control-plane/policy/apply-policy.ts";
import type { BlockStorage } from "@sallyport/control-plane/recordings/block-storage.ts";
import { placeHold, removeHold } from "@sallyport/control-plane/recordings/holds.ts";
import { RecordingPlaces } from "@sallyport/control-plane/recordings/recording-places.ts";
import { RecordingStore } from "@sallyport/control-plane/recordings/recording-store.ts";
import { Retention } from "@sallyport/control-plane/recordings/retention.ts";
import { cutoffs, Retention as Rules } from "@sallyport/control-plane/recordings/retention-configuration.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { sql } from "kysely";
import { onPostgres } from "../../../fixtures/postgres.ts";
import { makeRecording } from "../../../integration/control-plane/support/host.ts";
import {
  type KnownHost,
  makeRecordingWorld,
  type RecordingWorld,
  STORAGES,
} from "../support/recording-world.ts";
import { policyText } from "../support/world.ts";

const MEMBER = { id: "mem_1", issuer: "https://idp.test", subject: "dana" };
const DAY = 86_400;

for (const storage of STORAGES)
  describe(`retention of recordings in ${storage}`, () => {
    let world: RecordingWorld;
    let host: KnownHost;
    let store: RecordingStore;
    let engagement: { id: string; name: string };

    const record = async (of: { id: string; name: string } = engagement, blocks = 4) => {
      // An hour that the host says is long past: only the control plane's clock counts.
      const made = makeRecording(host, MEMBER, { start: { engagement: of, startedAt: 1000 } });
      for (const block of made.blocks.slice(0, blocks))
        await store.receive({ id: host.id, name: host.name, key: host.publicKey }, block);
      return made;
    };
    const retention = (rules: unknown = { days: 30 }, places = world.places) =>
      new Retention({ ...world, places, rules: Rules.parse(rules) });
    const state = async (session: string) => (await sessionById(world.db, session))?.recording.state;
    const deletions = async () =>
      (
        await world.db
          .selectFrom("audit_events")
          .select("data_json")
          .where("type", "=", "recording-deleted")
          .execute()
      ).map(({ data_json }) => JSON.parse(data_json).session);
    const hasBytes = (session: string) =>
      world.stored(host.id, session).then(
        () => true,
        () => false,
      );

    beforeEach(async () => {
      world = await makeRecordingWorld(storage);
      host = await world.makeHost(1);
      store = new RecordingStore(world);
      await applyPolicy(world.db, world.environment, { text: policyText(), file: "policy.yaml" });
      engagement = (await findEngagement(world.db, "web-work")) ?? assert.fail();
    });
    afterEach(() => world.close());

    it("deletes what has been complete for long enough, tells of it, and keeps the rest", async () => {
      const old = await record();
      const partial = await record(engagement, 3);
      world.time.now += 30 * DAY - 1;
      const young = await record();
      await retention().sweep();
      assert.deepEqual(await deletions(), []);
      world.time.now += 1;
      await retention().sweep();
      await retention().sweep();
      assert.deepEqual(await deletions(), [old.session]);
      const { recording, blocks } = (await sessionById(world.db, old.session)) ?? assert.fail();
      assert.deepEqual(
        [recording.state, recording.deletedBy, recording.deletedAt, blocks],
        ["deleted", "retention", world.time.now, 4],
      );
      assert.equal(await hasBytes(old.session), false);
      for (const [kept, expected] of [
        [partial, "partial"],
        [young, "complete"],
      ] as const) {
        assert.equal(await state(kept.session), expected);
        assert.equal(await hasBytes(kept.session), true);
      }
      if (world.s3) assert.ok(world.s3.keys().every((key) => !key.includes(old.session)));
    });

    it("never deletes one that is not complete, however old", async () => {
      const { session } = await record(engagement, 3);
      world.time.now += 40_000 * DAY;
      await retention({ days: 1, vendors: { vendor: 1 } }).sweep();
      assert.equal(await state(session), "partial");
      assert.equal(await hasBytes(session), true);
    });

    it("keeps everything for ever unless it is told otherwise, and each vendor's as long as that vendor's", async () => {
      const [ours, others] = [await record(), await record({ id: "eng_none", name: "gone" })];
      world.time.now += 400 * DAY;
      for (const rules of [{}, { vendors: { vendor: null } }, { days: 1, vendors: { vendor: null } }]) {
        await retention(rules).sweep();
        assert.equal(await state(ours.session), "complete");
      }
      assert.equal(await state(others.session), "deleted");
      await retention({ vendors: { vendor: 401, elsewhere: 1 } }).sweep();
      assert.equal(await state(ours.session), "complete");
      await retention({ days: null, vendors: { vendor: 400 } }).sweep();
      assert.equal(await state(ours.session), "deleted");
    });

    for (const level of ["session", "engagement", "vendor"] as const)
      it(`deletes nothing while a hold on the ${level} is there, and does once it is lifted`, async () => {
        const { session } = await record();
        const target = { session, engagement: "web-work", vendor: "vendor" }[level];
        const hold = await placeHold(world, { level, target, reason: "court" }, "dana@acme.test");
        world.time.now += 31 * DAY;
        await retention().sweep();
        assert.equal(await state(session), "complete");
        assert.equal((await sessionById(world.db, session))?.recording.held, true);
        await removeHold(world, hold.id, "dana@acme.test");
        await assert.rejects(removeHold(world, hold.id, "x"), (error) =>
          isSallyportError(error, "not-found"),
        );
        await retention().sweep();
        assert.equal(await state(session), "deleted");
        const again = placeHold(world, { level, target, reason: "late" }, "x");
        if (level === "session") await assert.rejects(again, (error) => isSallyportError(error, "conflict"));
        else await again;
      });

    it("lets a hold win that is placed while it sweeps", async () => {
      const sessions = [];
      for (let count = 0; count < 6; count++) sessions.push((await record()).session);
      world.time.now += 31 * DAY;
      const sweep = retention().sweep();
      const placed = await Promise.all(
        sessions.map((session) =>
          placeHold(world, { level: "session", target: session, reason: "now" }, "x").then(
            () => true,
            () => false,
          ),
        ),
      );
      await sweep;
      for (const [index, session] of sessions.entries()) {
        assert.equal(await state(session), placed[index] ? "complete" : "deleted");
        assert.equal(await hasBytes(session), placed[index]);
      }
      assert.equal((await deletions()).length, placed.filter((won) => !won).length);
    });

    it("decides in the database, and not by the list that it began with", async () => {
      const [held, partial, due] = [await record(), await record(engagement, 3), await record()];
      await world.db
        .updateTable("recordings")
        .set({ completed_at: world.time.now })
        .where("complete", "=", 0)
        .execute();
      world.time.now += 31 * DAY;
      const past = cutoffs(Rules.parse({ days: 30 }), world.time.now);
      assert.deepEqual((await dueRecordings(world.db, past, 10)).sort(), [held.session, due.session].sort());
      await placeHold(world, { level: "session", target: held.session, reason: "now" }, "x");
      const marks = [];
      for (const { session } of [held, partial, due, due])
        marks.push(await markDeleted(world.db, session, past, world.time.now));
      assert.deepEqual(marks, [false, false, true, false]);
    });

    if (onPostgres)
      it("waits for a hold that is not committed yet, and sees it", async () => {
        const { session } = await record();
        world.time.now += 31 * DAY;
        let sweep: Promise<void> | undefined;
        await world.db.transaction().execute(async (transaction) => {
          const { environment } = world;
          await placeHold(
            { db: transaction, environment },
            { level: "session", target: session, reason: "now" },
            "x",
          );
          sweep = retention().sweep();
          const waiting = sql<{ count: string }>`select count(*) from pg_locks where not granted`;
          while (Number((await waiting.execute(transaction)).rows[0]?.count) === 0);
        });
        await sweep;
        assert.equal(await state(session), "complete");
        assert.deepEqual(await deletions(), []);
      });

    it("goes on after a crash at any step, and tells of a deletion once", async () => {
      const { session, blocks } = await record();
      world.time.now += 31 * DAY;
      const [row] = await world.db.selectFrom("recordings").selectAll().execute();
      assert.ok(row);
      const places = failing(world.places.of(row));
      await retention({ days: 30 }, places).sweep();
      assert.deepEqual([await state(session), await hasBytes(session)], ["deleted", true]);
      const answer = await store.receive(
        { id: host.id, name: host.name, key: host.publicKey },
        blocks[1] ?? assert.fail(),
      );
      assert.deepEqual(answer, { type: "stored", nextSequence: 4, complete: true });
      await retention({}).sweep();
      assert.equal(await hasBytes(session), false);
      assert.deepEqual(await deletions(), [session]);
      const after = await world.db.selectFrom("recordings").select("removed_at").executeTakeFirst();
      assert.equal(after?.removed_at, world.time.now);
    });

    if (storage === "object storage")
      it("makes few objects of many once a recording is complete, while somebody reads it, and removes the rest", async () => {
        const [whole, partial] = [await record(), await record(engagement, 3)];
        const s3 = world.s3 ?? assert.fail();
        const of = (session: string) => s3.keys().filter((key) => key.includes(session)).length;
        const before = await world.stored(host.id, whole.session);
        const row = { storage: "objects" };
        const name = { hostId: host.id, session: whole.session };
        const orphan = [Buffer.from("left by a crash")];
        await world.places.of(row).append({ ...name, length: 5, firstSequence: 1, blocks: orphan });
        assert.deepEqual([of(whole.session), of(partial.session)], [5, 3]);
        const reader = world.places.of(row).read(name, 0, before.length)[Symbol.asyncIterator]();
        const read = [(await reader.next()).value];
        await Promise.all([retention({}).sweep(), retention({}).sweep()]);
        assert.deepEqual([of(whole.session), of(partial.session)], [1, 3]);
        for (let next = await reader.next(); !next.done; next = await reader.next()) read.push(next.value);
        assert.deepEqual(Buffer.concat(read), before);
        assert.deepEqual(await world.stored(host.id, whole.session), before);
        const parts = await recordingParts(world.db, partial.session);
        assert.equal(
          await replaceRecordingParts(world.db, partial.session, parts.slice(1), parts.slice(0, 1)),
          false,
        );
        assert.deepEqual(await recordingParts(world.db, partial.session), parts);
        const served = s3.served.length;
        await retention({}).sweep();
        assert.equal(s3.served.length, served);
        assert.equal(await state(partial.session), "partial");
      });

    it("is swept by two replicas as by one", async () => {
      const sessions = [(await record()).session, (await record()).session];
      world.time.now += 31 * DAY;
      await Promise.all([retention().sweep(), retention().sweep()]);
      assert.deepEqual((await deletions()).sort(), sessions.sort());
      for (const session of sessions) assert.equal(await hasBytes(session), false);
    });
  });

/** Places whose bytes cannot be removed, as when the process ends before that. */
function failing(storage: BlockStorage): RecordingPlaces {
  const remove = () => Promise.reject(new Error("killed"));
  const broken = new Proxy(storage, {
    get: (target, name) => (name === "remove" ? remove : Reflect.get(target, name)),
  });
  return new RecordingPlaces({ directory: broken, objects: broken });
}
