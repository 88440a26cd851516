import assert from "node:assert/strict";
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { sessionById } from "@sallyport/control-plane/database/sessions.ts";
import { Bucket } from "@sallyport/control-plane/objects/bucket.ts";
import { DirectoryStorage } from "@sallyport/control-plane/recordings/directory-storage.ts";
import { recordingFile } from "@sallyport/control-plane/recordings/recording-files.ts";
import { RecordingPlaces } from "@sallyport/control-plane/recordings/recording-places.ts";
import { RecordingStore } from "@sallyport/control-plane/recordings/recording-store.ts";
import { storedFrames } from "@sallyport/control-plane/recordings/stored-blocks.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { type Block, parseBlock, sealBlock } from "@sallyport/core/recording/block.ts";
import { verifyRecording } from "@sallyport/core/recording/chain.ts";
import sinon from "sinon";
import { run } from "../../fixtures/processes.ts";
import type { S3Server } from "../../fixtures/s3-server.ts";
import { makeRecording } from "../../integration/control-plane/support/host.ts";
import {
  all,
  type KnownHost,
  makeRecordingWorld,
  type RecordingWorld,
  STORAGES,
} from "./support/recording-world.ts";

const MEMBER = { id: "mem_1", issuer: "https://idp.test", subject: "dana" };

let world: RecordingWorld;
let store: RecordingStore;
let web1: KnownHost;
let web2: KnownHost;

const send = (block: Block | undefined, from = web1, to = store) => {
  assert.ok(block !== undefined);
  return to.receive({ id: from.id, name: from.name, key: from.publicKey }, block);
};
const stored = (nextSequence: number, complete = false) => ({ type: "stored", nextSequence, complete });
const rejected = (code: string) => (answer: { type: string; code?: string }) =>
  assert.deepEqual([answer.type, answer.code], ["rejected", code]);
const begin = async (storage: (typeof STORAGES)[number]) => {
  world = await makeRecordingWorld(storage);
  [web1, web2] = [await world.makeHost(1), await world.makeHost(2)];
  store = new RecordingStore(world);
};
const verified = async (session: string) =>
  verifyRecording(await world.stored(web1.id, session), web1.publicKey);

for (const storage of STORAGES)
  describe(`recordings store in ${storage}`, () => {
    beforeEach(() => begin(storage));
    afterEach(() => world.close());

    it("stores blocks, and knows the session by its first and last", async () => {
      const { session, blocks } = makeRecording(web1, MEMBER);
      assert.deepEqual(await store.position(web1.id, session), { nextSequence: 0, complete: false });
      assert.deepEqual(await send(blocks[0]), stored(1));
      assert.equal((await sessionById(world.db, session))?.state, "live");
      for (const block of blocks.slice(1)) await send(block);
      const summary = await sessionById(world.db, session);
      assert.deepEqual(
        [summary?.state, summary?.exitStatus, summary?.blocks, summary?.endReason],
        ["ended", 0, 4, "exited"],
      );
      assert.equal(
        summary?.bytes,
        blocks.reduce((sum, block) => sum + block.rawLength, 0),
      );
      assert.equal((await verified(session)).complete, true);
    });

    it("stores blocks that come together at once, and answers the last of them", async () => {
      const { session, blocks } = makeRecording(web1, MEMBER);
      const answers = await Promise.all(blocks.map((block) => send(block)));
      assert.deepEqual(answers.at(-1), stored(4, true));
      assert.ok(answers.slice(0, -1).every(({ type }) => type === "answered-later"));
      assert.deepEqual(await store.position(web1.id, session), { nextSequence: 4, complete: true });
    });

    it("cuts off what a crash left behind the last acknowledged block", async () => {
      const { session, blocks } = makeRecording(web1, MEMBER);
      await send(blocks[0]);
      await send(blocks[1]);
      await world.db.transaction().execute(async (db) => {
        const row = await db.selectFrom("recordings").selectAll().executeTakeFirstOrThrow();
        const [hostId, firstSequence] = [web1.id, 2];
        const bytes = (blocks[2]?.bytes ?? Buffer.alloc(0)).subarray(0, 50);
        await world.places
          .of(row)
          .append({ hostId, session, length: row.length, firstSequence, blocks: [bytes] });
      });
      store = new RecordingStore(world);
      assert.deepEqual(await store.position(web1.id, session), { nextSequence: 2, complete: false });
      assert.deepEqual(await send(blocks[2]), stored(3));
      assert.deepEqual(await send(blocks[3]), stored(4, true));
      assert.equal((await verified(session)).blocks, 4);
    });

    it("does not mind what is there of a recording whose first block was never committed", async () => {
      const { session, blocks } = makeRecording(web1, MEMBER);
      await send(blocks[0]);
      await world.db.deleteFrom("sessions").execute();
      await world.db.deleteFrom("recording_parts").execute();
      await world.db.deleteFrom("recordings").execute();
      for (const block of blocks) await send(block);
      assert.equal((await verified(session)).blocks, 4);
    });

    it("answers a repeated block with where it stands", async () => {
      const { blocks } = makeRecording(web1, MEMBER);
      for (const block of blocks.slice(0, 3)) await send(block);
      assert.deepEqual(await send(blocks[2]), stored(3));
      assert.deepEqual(await send(blocks[0]), stored(3));
      await send(blocks[3]);
      assert.deepEqual(await send(blocks[3]), stored(4, true));
      const twice = await Promise.all([send(blocks[1]), send(blocks[1])]);
      assert.deepEqual(twice.at(-1), stored(4, true));
    });

    it("answers a block that comes too early with where it stands", async () => {
      const { blocks } = makeRecording(web1, MEMBER);
      await send(blocks[0]);
      assert.deepEqual(await send(blocks[2]), stored(1));
      assert.deepEqual(await send(blocks[1]), stored(2));
    });

    it("rejects a block in the place of another, and keeps the first", async () => {
      const { session, blocks } = makeRecording(web1, MEMBER);
      await send(blocks[0]);
      await send(blocks[1]);
      const raw = Buffer.from([2, 1, 1, 65]);
      const previousHash = blocks[0]?.hash ?? Buffer.alloc(32);
      const other = sealBlock(
        { session, sequence: 1, last: false, frameCount: 1, raw, previousHash },
        web1.key,
      );
      rejected("recording-broken-chain")(await send(other));
      const stray = sealBlock(
        { session, sequence: 2, last: false, frameCount: 1, raw, previousHash: other.hash },
        web1.key,
      );
      rejected("recording-broken-chain")(await send(stray));
      assert.deepEqual(await send(blocks[2]), stored(3));
    });

    it("rejects what comes after the end", async () => {
      const { session, blocks } = makeRecording(web1, MEMBER);
      for (const block of blocks) await send(block);
      const raw = Buffer.from([2, 1, 1, 65]);
      const previousHash = blocks.at(-1)?.hash ?? Buffer.alloc(32);
      const more = sealBlock(
        { session, sequence: 4, last: false, frameCount: 1, raw, previousHash },
        web1.key,
      );
      rejected("recording-broken-chain")(await send(more));
    });

    it("rejects an altered block", async () => {
      const { blocks } = makeRecording(web1, MEMBER);
      const bytes = Buffer.from(blocks[0]?.bytes ?? []);
      bytes[bytes.length - 70] = (bytes[bytes.length - 70] ?? 0) ^ 1;
      rejected("recording-bad-signature")(await send(parseBlock(bytes)));
    });

    it("keeps a host away from another's recordings", async () => {
      const { session, blocks } = makeRecording(web1, MEMBER);
      rejected("recording-bad-signature")(await send(blocks[0], web2));
      await send(blocks[0]);
      rejected("forbidden")(await send(blocks[1], web2));
      await assert.rejects(store.position(web2.id, session), (error) => isSallyportError(error, "forbidden"));
      assert.deepEqual(await send(blocks[1]), stored(2));
    });

    it("rejects a recording that names another host", async () => {
      const { blocks } = makeRecording({ ...web1, id: web2.id, name: web2.name }, MEMBER);
      rejected("recording-malformed")(await send(blocks[0]));
    });

    it("rejects a first block without a start record", async () => {
      const { session } = makeRecording(web1, MEMBER);
      const raw = Buffer.from([2, 1, 1, 65]);
      const block = sealBlock(
        { session, sequence: 0, last: false, frameCount: 1, raw, previousHash: new Uint8Array(32) },
        web1.key,
      );
      rejected("recording-malformed")(await send(block));
      assert.equal(await sessionById(world.db, session), undefined);
    });

    it("reads a recording back block by block, up to what was acknowledged", async () => {
      const { session, blocks } = makeRecording(web1, MEMBER, { outputs: ["one", "two"] });
      for (const block of blocks) await send(block);
      const row = await world.db.selectFrom("recordings").selectAll().executeTakeFirstOrThrow();
      const length = blocks.slice(0, 3).reduce((sum, block) => sum + block.bytes.length, 0);
      const read = (to: number) => all(storedFrames(world.places.of(row), { hostId: web1.id, session }, to));
      const shown = (await read(length)).slice(1).map(({ data }) => Buffer.from(data).toString());
      assert.deepEqual(shown, ["one", "two"]);
      await assert.rejects(read(length - 1), /damaged at byte/);
      await assert.rejects(read(row.length + 1), /damaged at byte/);
    });
  });

describe("recordings store in a directory, in particular", () => {
  beforeEach(() => begin("a directory"));
  afterEach(() => world.close());

  it("lets only its own user read", async () => {
    const { session, blocks } = makeRecording(web1, MEMBER);
    await send(blocks[0]);
    assert.equal(statSync(recordingFile(world.directory, web1.id, session)).mode & 0o777, 0o600);
  });

  it("has what a crash left behind cut off", async () => {
    const { session, blocks } = makeRecording(web1, MEMBER);
    await send(blocks[0]);
    const file = recordingFile(world.directory, web1.id, session);
    appendFileSync(file, Buffer.alloc(50));
    await send(blocks[1]);
    assert.equal(verifyRecording(readFileSync(file), web1.publicKey, { open: true }).blocks, 2);
  });

  it("lets one recording's trouble not touch another's", async () => {
    const [sick, well] = [makeRecording(web1, MEMBER), makeRecording(web1, MEMBER)];
    await send(sick.blocks[0]);
    truncateSync(recordingFile(world.directory, web1.id, sick.session), 10);
    const [bad, good] = await Promise.all([send(sick.blocks[1]), send(well.blocks[0])]);
    rejected("recording-malformed")(bad);
    assert.deepEqual(good, stored(1));
  });

  it("says later, and why, while the disk refuses one recording; the others are stored, and then it is too", async () => {
    const [sick, well] = [makeRecording(web1, MEMBER), makeRecording(web1, MEMBER)];
    const inTheWay = recordingFile(world.directory, web1.id, sick.session);
    mkdirSync(inTheWay, { recursive: true });
    const answer = await send(sick.blocks[0]);
    assert.ok(answer.type === "later");
    assert.match(String(answer.error), /EISDIR/);
    for (const block of well.blocks) assert.equal((await send(block)).type, "stored");
    rmSync(inTheWay, { recursive: true });
    for (const block of sick.blocks) assert.equal((await send(block)).type, "stored");
    assert.equal(verifyRecording(readFileSync(inTheWay), web1.publicKey).complete, true);
  });

  it("answers though the disk hangs on one recording; the others are stored, and then it is too", async () => {
    const [sick, well] = [makeRecording(web1, MEMBER), makeRecording(web1, MEMBER)];
    const pipe = recordingFile(world.directory, web1.id, sick.session);
    await send(well.blocks[0]); // makes the directory
    await run(["mkfifo", pipe]); // to be opened only when somebody reads
    const clock = sinon.useFakeTimers({
      toFake: ["setTimeout", "clearTimeout"],
      shouldClearNativeTimers: true,
    });
    try {
      const first = send(sick.blocks[0]);
      await send(well.blocks[1]);
      const behind = send(sick.blocks[1]);
      clock.tick(10_000);
      assert.deepEqual([(await first).type, (await behind).type], ["later", "later"]);
      assert.equal((await send(sick.blocks[0])).type, "later", "at once");
      assert.deepEqual(await send(well.blocks[2]), stored(3));
    } finally {
      clock.restore();
    }
    closeSync(openSync(pipe, "r"));
    await store.idle();
    rmSync(pipe);
    for (const block of sick.blocks) assert.equal((await send(block)).type, "stored");
    assert.equal(verifyRecording(readFileSync(pipe), web1.publicKey).complete, true);
  });
});

describe("recordings store in object storage, in particular", () => {
  let s3: S3Server;
  beforeEach(async () => {
    await begin("object storage");
    s3 = world.s3 ?? assert.fail("no server");
  });
  afterEach(() => world.close());

  it("makes an object of what came together, and tells nobody else's key", async () => {
    const { session, blocks } = makeRecording(web1, MEMBER);
    await send(blocks[0]);
    await Promise.all(blocks.slice(1).map((block) => send(block)));
    const keys = s3.keys();
    assert.equal(keys.length, 2);
    for (const key of keys)
      assert.match(key, new RegExp(`^sallyport/${web1.id}/${session}/[0-9]{16}-[0-9a-f]{64}$`));
  });

  it("says later while the bucket refuses, fails or hangs on one recording; the others are stored", async () => {
    const [sick, well] = [makeRecording(web1, MEMBER), makeRecording(web1, MEMBER)];
    s3.fault = (request) => (request.includes(sick.session) ? 503 : undefined);
    const answer = await send(sick.blocks[0]);
    assert.ok(answer.type === "later");
    assert.match(String(answer.error), /the object store answered 503 \(SlowDown\)/);
    assert.deepEqual(await send(well.blocks[0]), stored(1));
    const clock = sinon.useFakeTimers({
      toFake: ["setTimeout", "clearTimeout"],
      shouldClearNativeTimers: true,
    });
    try {
      s3.fault = (request) => (request.includes(sick.session) ? "hang" : undefined);
      const hanging = send(sick.blocks[0]);
      await send(well.blocks[1]);
      clock.tick(10_000);
      assert.equal((await hanging).type, "later");
      assert.deepEqual(await send(well.blocks[2]), stored(3));
    } finally {
      clock.restore();
    }
    s3.fault = () => undefined;
    store = new RecordingStore(world);
    for (const block of sick.blocks) assert.equal((await send(block)).type, "stored");
    assert.equal((await verified(sick.session)).complete, true);
  });

  it("does not believe an answer that the server did not get a signed request for", async () => {
    const wrong = new Bucket({ ...s3.location, secretAccessKey: "another" });
    const error: unknown = await wrong.put("x", Buffer.from("x")).catch((error: unknown) => error);
    assert.ok(error instanceof Error);
    assert.match(error.message, /403 \(SignatureDoesNotMatch\)/);
    assert.doesNotMatch(JSON.stringify(error, Object.getOwnPropertyNames(error)), /S3RVER|another/);
    assert.deepEqual(s3.keys(), []);
  });

  it("stores what two replicas send at once as if it came once", async () => {
    const { session, blocks } = makeRecording(web1, MEMBER);
    const other = new RecordingStore(world);
    for (const block of blocks)
      for (const to of [store, other, store]) {
        const both = await Promise.all([send(block, web1, to), send(block, web1, store)]);
        assert.ok(both.every(({ type }) => ["stored", "answered-later", "later"].includes(type)));
      }
    assert.equal((await verified(session)).complete, true);
    const ends = world.db.selectFrom("audit_events").select("id").where("type", "=", "recording-complete");
    assert.equal((await ends.execute()).length, 1);
  });

  it("keeps what was stored when a crash or another replica leaves an object in the same place", async () => {
    const { session, blocks } = makeRecording(web1, MEMBER);
    const row = { storage: "objects" };
    for (const block of blocks) {
      const { length = 0 } =
        (await world.db.selectFrom("recordings").select("length").executeTakeFirst()) ?? {};
      for (const firstSequence of [0, 7])
        await world.places.of(row).append({
          hostId: web1.id,
          session,
          length,
          firstSequence,
          blocks: [Buffer.from(`${firstSequence}`)],
        });
      await send(block);
    }
    assert.equal((await verified(session)).complete, true);
    assert.equal(s3.keys().length, 12);
    await world.places.of(row).remove({ hostId: web1.id, session });
    assert.deepEqual(s3.keys(), []);
  });

  it("names the place where a byte is missing, or an object", async () => {
    const { session, blocks } = makeRecording(web1, MEMBER);
    for (const block of blocks) await send(block);
    const [, second = ""] = s3.keys();
    const at = blocks[0]?.bytes.length ?? 0;
    const whole = readFileSync(s3.file(second));
    writeFileSync(s3.file(second), whole.subarray(0, 20));
    await assert.rejects(world.stored(web1.id, session), new RegExp(`damaged at byte ${at + 20}\\.`));
    rmSync(s3.file(second));
    await assert.rejects(world.stored(web1.id, session), new RegExp(`damaged at byte ${at}\\.`));
  });

  it("goes on reading and filling what began in the directory", async () => {
    const { session, blocks } = makeRecording(web1, MEMBER);
    const directory = new DirectoryStorage(world.directory);
    const places = new RecordingPlaces({ directory, objects: undefined });
    await send(blocks[0], web1, new RecordingStore({ ...world, places }));
    for (const block of blocks.slice(1)) await send(block);
    assert.equal((await verified(session)).complete, true);
    assert.deepEqual(s3.keys(), []);
  });
});
