import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addHost } from "@sallyport/control-plane/database/hosts.ts";
import { openDatabase } from "@sallyport/control-plane/database/open-database.ts";
import { recordingPosition } from "@sallyport/control-plane/database/recordings.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { DirectoryStorage } from "@sallyport/control-plane/recordings/directory-storage.ts";
import { RecordingPlaces } from "@sallyport/control-plane/recordings/recording-places.ts";
import { RecordingStore } from "@sallyport/control-plane/recordings/recording-store.ts";
import { verifyRecording } from "@sallyport/core/recording/chain.ts";
import { sql } from "kysely";
import { type FreshDatabase, freshDatabase } from "../../fixtures/postgres.ts";
import { makeRecording } from "./support/host.ts";

/** A directory that is slow once: what is appended first waits until it is let go. */
class SlowDirectory extends DirectoryStorage {
  #reached: () => void = () => {};
  #go: () => void = () => {};
  readonly reached = new Promise<void>((resolve) => {
    this.#reached = resolve;
  });
  #gone = new Promise<void>((resolve) => {
    this.#go = resolve;
  });

  override async append(
    ...args: Parameters<DirectoryStorage["append"]>
  ): ReturnType<DirectoryStorage["append"]> {
    this.#reached();
    await this.#gone;
    return super.append(...args);
  }

  letGo(): void {
    this.#go();
  }
}

describe("a recording in a directory that two replicas share", () => {
  let database: FreshDatabase;
  let directory: string;
  const opened: Database[] = [];
  beforeEach(async () => {
    database = await freshDatabase();
    directory = mkdtempSync(join(tmpdir(), "sallyport-recordings-"));
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((db) => db.destroy()));
    await database.drop();
    rmSync(directory, { recursive: true });
  });
  const replica = async (storage: DirectoryStorage) => {
    const db = await openDatabase(database.url);
    opened.push(db);
    const environment = { clock: Date.now, random: (length: number) => randomBytes(length) };
    const places = new RecordingPlaces({ directory: storage, objects: undefined });
    return { db, store: new RecordingStore({ db, environment, places }) };
  };

  it("loses nothing when one is slow while the other goes on", async () => {
    const slow = new SlowDirectory(directory);
    const a = await replica(slow);
    const b = await replica(new DirectoryStorage(directory));
    const { privateKey: key, publicKey } = generateKeyPairSync("ed25519");
    const host = { id: "hst_00000000000000000000000001", name: "web-1", key };
    await addHost(a.db, {
      ...{ id: host.id, name: host.name, address: "a", port: 22, labels_json: "{}" },
      ...{ host_key: "k", enrolled_at: 0 },
    });
    const { session, blocks } = makeRecording(host, {
      id: "mem_1",
      issuer: "https://idp.test",
      subject: "dana",
    });
    const sender = {
      id: host.id,
      name: host.name,
      key: createPublicKey(publicKey.export({ type: "spki", format: "pem" })),
    };
    const [first, ...rest] = blocks;
    assert.ok(first !== undefined);

    const late = a.store.receive(sender, first);
    await slow.reached;
    let answered = false;
    const all = Promise.all([first, ...rest].map((block) => b.store.receive(sender, block))).then(
      (answers) => {
        answered = true;
        return answers;
      },
    );
    // It has either stored everything by now, or waits for the other.
    while (!answered && !(await isWaited(b.db))) await new Promise(setImmediate);
    slow.letGo();
    await Promise.all([late, all]);
    for (const block of blocks) await b.store.receive(sender, block);

    const row = await recordingPosition(b.db, session);
    assert.deepEqual([row?.next_sequence, row?.complete], [blocks.length, 1]);
    const bytes = readFileSync(join(directory, host.id, `${session}.spr`));
    assert.equal(verifyRecording(new Uint8Array(bytes), publicKey).blocks, blocks.length);
  });

  const isWaited = async (db: Database) => {
    const { rows } = await sql`select 1 from pg_locks where locktype = 'advisory' and not granted`.execute(
      db,
    );
    return rows.length > 0;
  };
});
