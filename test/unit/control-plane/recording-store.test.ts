import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addHost } from "@sallyport/control-plane/database/hosts.ts";
import { sessionById } from "@sallyport/control-plane/database/sessions.ts";
import { recordingFile } from "@sallyport/control-plane/recordings/recording-files.ts";
import { RecordingStore } from "@sallyport/control-plane/recordings/recording-store.ts";
import { storedFrames } from "@sallyport/control-plane/recordings/stored-blocks.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { type Block, parseBlock, sealBlock } from "@sallyport/core/recording/block.ts";
import { verifyRecording } from "@sallyport/core/recording/chain.ts";
import sinon from "sinon";
import { run } from "../../fixtures/processes.ts";
import { makeRecording } from "../../integration/control-plane/support/host.ts";
import { makeWorld, type World } from "./support/world.ts";

const MEMBER = { id: "mem_1", issuer: "https://idp.test", subject: "dana" };

describe("recordings store", () => {
  let world: World;
  let directory: string;
  let store: RecordingStore;
  let web1: { id: string; name: string; key: KeyObject; publicKey: KeyObject };
  let web2: typeof web1;

  const makeHost = async (digit: number) => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const id = `hst_${String(digit).padStart(26, "0")}`;
    const name = `web-${digit}`;
    await addHost(world.db, {
      id,
      name,
      address: "a",
      port: 22,
      labels_json: "{}",
      host_key: name,
      enrolled_at: 0,
    });
    return { id, name, key: privateKey, publicKey };
  };
  const send = (block: Block | undefined, from = web1) => {
    assert.ok(block !== undefined);
    return store.receive({ id: from.id, name: from.name, key: from.publicKey }, block);
  };
  const stored = (nextSequence: number, complete = false) => ({ type: "stored", nextSequence, complete });
  const restart = () => {
    store = new RecordingStore({ ...world, directory });
  };

  beforeEach(async () => {
    world = await makeWorld();
    directory = mkdtempSync(join(tmpdir(), "sallyport-recordings-"));
    [web1, web2] = [await makeHost(1), await makeHost(2)];
    restart();
  });
  afterEach(async () => {
    await world.db.destroy();
    rmSync(directory, { recursive: true });
  });

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
    const file = recordingFile(directory, web1.id, session);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(verifyRecording(readFileSync(file), web1.publicKey).complete, true);
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
    const file = recordingFile(directory, web1.id, session);
    appendFileSync(file, (blocks[2]?.bytes ?? Buffer.alloc(0)).subarray(0, 50));
    restart();
    assert.deepEqual(await store.position(web1.id, session), { nextSequence: 2, complete: false });
    assert.deepEqual(await send(blocks[2]), stored(3));
    assert.deepEqual(await send(blocks[3]), stored(4, true));
    assert.equal(verifyRecording(readFileSync(file), web1.publicKey).blocks, 4);
  });

  it("cuts off a file whose first block was never committed", async () => {
    const { session, blocks } = makeRecording(web1, MEMBER);
    await send(blocks[0]);
    await world.db.deleteFrom("sessions").execute();
    await world.db.deleteFrom("recordings").execute();
    for (const block of blocks) await send(block);
    assert.equal(
      verifyRecording(readFileSync(recordingFile(directory, web1.id, session)), web1.publicKey).blocks,
      4,
    );
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

  const rejected = (code: string) => (answer: { type: string; code?: string }) =>
    assert.deepEqual([answer.type, answer.code], ["rejected", code]);

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
    const more = sealBlock({ session, sequence: 4, last: false, frameCount: 1, raw, previousHash }, web1.key);
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

  it("lets one recording's trouble not touch another's", async () => {
    const [sick, well] = [makeRecording(web1, MEMBER), makeRecording(web1, MEMBER)];
    await send(sick.blocks[0]);
    truncateSync(recordingFile(directory, web1.id, sick.session), 10);
    const [bad, good] = await Promise.all([send(sick.blocks[1]), send(well.blocks[0])]);
    rejected("recording-malformed")(bad);
    assert.deepEqual(good, stored(1));
  });

  it("says later, and why, while the disk refuses one recording; the others are stored, and then it is too", async () => {
    const [sick, well] = [makeRecording(web1, MEMBER), makeRecording(web1, MEMBER)];
    const inTheWay = recordingFile(directory, web1.id, sick.session);
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
    const pipe = recordingFile(directory, web1.id, sick.session);
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

  it("reads a recording back block by block, up to what was acknowledged", async () => {
    const { session, blocks } = makeRecording(web1, MEMBER, { outputs: ["one", "two"] });
    for (const block of blocks) await send(block);
    const file = recordingFile(directory, web1.id, session);
    const length = blocks.slice(0, 3).reduce((sum, block) => sum + block.bytes.length, 0);
    const shown = [...storedFrames(file, length)].slice(1).map(({ data }) => Buffer.from(data).toString());
    assert.deepEqual(shown, ["one", "two"]);
    assert.throws(() => [...storedFrames(file, length - 1)], /damaged at byte/);
  });
});
