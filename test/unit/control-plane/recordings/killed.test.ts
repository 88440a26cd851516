import assert from "node:assert/strict";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { recordingParts } from "@sallyport/control-plane/database/recordings.ts";
import { sessionById } from "@sallyport/control-plane/database/sessions.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { RecordingStore } from "@sallyport/control-plane/recordings/recording-store.ts";
import { Retention } from "@sallyport/control-plane/recordings/retention.ts";
import { Retention as Rules } from "@sallyport/control-plane/recordings/retention-configuration.ts";
import { verifyRecording } from "@sallyport/core/recording/chain.ts";
import sinon from "sinon";
import { makeRecording } from "../../../integration/control-plane/support/host.ts";
import { dyingDatabase } from "../support/dying-database.ts";
import {
  type KnownHost,
  makeRecordingWorld,
  type RecordingWorld,
  STORAGES,
} from "../support/recording-world.ts";

const MEMBER = { id: "mem_1", issuer: "https://idp.test", subject: "dana" };

for (const storage of STORAGES)
  describe(`a control plane that dies over a recording in ${storage}`, () => {
    let world: RecordingWorld;
    let host: KnownHost;
    beforeEach(async () => {
      world = await makeRecordingWorld(storage);
      host = await world.makeHost(1);
    });
    afterEach(async () => {
      sinon.restore();
      syncBuiltinESMExports();
      await world.close();
    });

    const sweep = (db: Database = world.db) =>
      new Retention({ ...world, db, rules: Rules.parse({ days: 30 }) }).sweep();
    const send = (store: RecordingStore, block: ReturnType<typeof makeRecording>["blocks"][number]) =>
      store.receive({ id: host.id, name: host.name, key: host.publicKey }, block);
    const count = async (type: string) =>
      (await world.db.selectFrom("audit_events").select("id").where("type", "=", type).execute()).length;
    const state = async (session: string) => (await sessionById(world.db, session))?.recording.state;
    const hasBytes = (session: string) =>
      world.stored(host.id, session).then(
        () => true,
        () => false,
      );
    const removedAt = async () =>
      (await world.db.selectFrom("recordings").select("removed_at").executeTakeFirstOrThrow()).removed_at;
    const due = async () => {
      const { session, blocks } = makeRecording(host, MEMBER);
      const store = new RecordingStore(world);
      for (const block of blocks) await send(store, block);
      world.time.now += 31 * 86_400;
      return session;
    };

    it("has neither deleted it nor told of it when it died between the event and the mark, and does both next", async () => {
      const session = await due();
      const dying = dyingDatabase(world.db, {
        kind: "UpdateQueryNode",
        table: "recordings",
        column: "deleted_at",
      });
      await assert.rejects(sweep(dying), /killed/);
      assert.deepEqual(
        [await state(session), await hasBytes(session), await count("recording-deleted")],
        ["complete", true, 0],
      );
      await sweep();
      assert.deepEqual(
        [await state(session), await hasBytes(session), await count("recording-deleted")],
        ["deleted", false, 1],
      );
    });

    it("removes bytes that would not go at the next sweep, and tells of it once", async () => {
      const session = await due();
      if (world.s3) world.s3.fault = (request) => (/DELETE/.test(request) ? 503 : undefined);
      else {
        sinon.stub(promises, "rm").onFirstCall().rejects(new Error("EIO")).callThrough();
        syncBuiltinESMExports();
      }
      await sweep();
      assert.deepEqual(
        [await state(session), await hasBytes(session), await removedAt()],
        ["deleted", true, null],
      );
      if (world.s3) world.s3.fault = () => undefined;
      await sweep();
      assert.deepEqual([await hasBytes(session), await count("recording-deleted")], [false, 1]);
      assert.equal(await removedAt(), world.time.now);
    });

    it("says that bytes are gone at the next sweep when it died after they went, and tells of it once", async () => {
      const session = await due();
      const dying = dyingDatabase(world.db, {
        kind: "UpdateQueryNode",
        table: "recordings",
        column: "removed_at",
      });
      await sweep(dying);
      assert.deepEqual(
        [await state(session), await hasBytes(session), await removedAt()],
        ["deleted", false, null],
      );
      await sweep();
      await sweep();
      assert.deepEqual([await count("recording-deleted"), await removedAt()], [1, world.time.now]);
    });

    it("goes on with it when blocks were stored and not committed, however they come again; nothing is left over", async () => {
      const { session, blocks } = makeRecording(host, MEMBER);
      const [first, second, third, last] = blocks;
      assert.ok(first && second && third && last);
      await send(new RecordingStore(world), first);
      const before = world.s3?.keys().length;
      const dying = dyingDatabase(world.db, { kind: "UpdateQueryNode", table: "recordings" });
      const answer = await send(new RecordingStore({ ...world, db: dying }), second);
      assert.equal(answer.type, "later");
      assert.equal(world.s3?.keys().length, before && before + 1);
      // After the restart they come in another cut: nothing of it has the name that the orphan has.
      const store = new RecordingStore(world);
      assert.deepEqual(await store.position(host.id, session), { nextSequence: 1, complete: false });
      await Promise.all([second, third].map((block) => send(store, block)));
      assert.deepEqual(await send(store, last), { type: "stored", nextSequence: 4, complete: true });
      const bytes = await world.stored(host.id, session);
      assert.equal((await verifyRecording(bytes, host.publicKey)).complete, true);
      await sweep();
      assert.deepEqual(await world.stored(host.id, session), bytes);
      if (world.s3) {
        const listed = (await recordingParts(world.db, session)).map(({ name }) => name);
        assert.equal(world.s3.keys().length, listed.length);
        for (const name of listed) assert.ok(world.s3.keys().some((key) => key.endsWith(name)));
      }
    });
  });
