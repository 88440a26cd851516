import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { ControlPlane } from "@sallyport/client/api/control-plane.ts";
import { fetchLog } from "@sallyport/client/audit/fetch-log.ts";
import { findLogged } from "@sallyport/client/audit/logged-recording.ts";
import { verifyLog } from "@sallyport/client/audit/verify-log.ts";
import { parseHostKey } from "@sallyport/client/recordings/host-key.ts";
import type { AuditEventsTable, Database } from "@sallyport/control-plane/database/tables.ts";
import { Bucket } from "@sallyport/control-plane/objects/bucket.ts";
import { ObjectStorage } from "@sallyport/control-plane/objects/object-storage.ts";
import type { BlockStorage } from "@sallyport/control-plane/recordings/block-storage.ts";
import { DirectoryStorage } from "@sallyport/control-plane/recordings/directory-storage.ts";
import { recordingFile } from "@sallyport/control-plane/recordings/recording-files.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { BLOCK_HEAD_LENGTH, type Block } from "@sallyport/core/recording/block.ts";
import { verifyRecording } from "@sallyport/core/recording/chain.ts";
import { type S3Server, startS3Server } from "../../fixtures/s3-server.ts";
import { signIn } from "../control-plane/support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "../control-plane/support/control-plane.ts";
import { connect, enrol, makeRecording, type TestHost } from "../control-plane/support/host.ts";

/** Every byte of heads and signatures is flipped, and of the rest one in so many. */
const ONE_IN = 7;

for (const storage of ["a directory", "object storage"])
  describe(`one flipped byte, with recordings in ${storage}`, () => {
    let s3: S3Server | undefined;
    let plane: TestControlPlane;
    let db: Database;
    let api: ControlPlane;
    let host: TestHost;
    let session: string;
    let blocks: Block[];
    let stored: BlockStorage;
    /** The parts of the recording as they are stored, one behind the other. */
    let parts: { file: string; start: number; bytes: Buffer }[];

    /** Verifies what is stored, without the way over the API. */
    const verifyStored = async () => {
      const length = blocks.reduce((sum, { bytes }) => sum + bytes.length, 0);
      const pieces: Uint8Array[] = [];
      for await (const piece of stored.read({ hostId: host.id, session }, 0, length)) pieces.push(piece);
      return verifyRecording(Buffer.concat(pieces), parseHostKey(host.hostKey));
    };
    const verify = async () => {
      const { bytes } = await api.recording(session);
      return verifyRecording(bytes, parseHostKey(host.hostKey));
    };
    const verifyLogged = async () => findLogged(api, { ...(await verify()), session });
    const verifyAudit = async () => {
      const lines = fetchLog(api, 0, () => undefined);
      return verifyLog(lines, { key: undefined, since: undefined });
    };
    const complaint = (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => "it holds",
        (error: unknown) => {
          assert.ok(isSallyportError(error), String(error));
          return error.message;
        },
      );
    /** Flips one bit of the byte at `at` of the recording while `work` runs. */
    const flipped = async <T>(at: number, work: () => Promise<T>): Promise<T> => {
      const part = parts.findLast(({ start }) => start <= at) ?? assert.fail();
      const changed = Buffer.from(part.bytes);
      changed[at - part.start] = (changed[at - part.start] ?? 0) ^ (1 << (at % 8));
      writeFileSync(part.file, changed);
      try {
        return await work();
      } finally {
        writeFileSync(part.file, part.bytes);
      }
    };
    /** Places to flip, each with the block that it is in. */
    const places = () => {
      const found: { at: number; sequence: number }[] = [];
      let start = 0;
      for (const { sequence, bytes, payload } of blocks) {
        for (let at = 0; at < bytes.length; at++) {
          const isPayload = at >= BLOCK_HEAD_LENGTH && at < BLOCK_HEAD_LENGTH + payload.length;
          if (!isPayload || at % ONE_IN === 0) found.push({ at: start + at, sequence });
        }
        start += bytes.length;
      }
      return found;
    };

    before(async () => {
      s3 = storage === "object storage" ? await startS3Server() : undefined;
      plane = await startTestControlPlane(s3 && { objects: s3.location });
      db = await plane.database();
      host = await enrol(plane.url, await plane.joinToken("web-1"));
      const { me } = await signIn(plane.url, plane.idp.issuer, "dana");
      const { apiToken } = await signIn(plane.url, plane.idp.issuer, "audrey");
      api = new ControlPlane(plane.url, apiToken);
      const member = { id: me.memberId ?? "", issuer: plane.idp.issuer, subject: "dana" };
      const made = makeRecording(host, member, { outputs: ["one\r\n", "two\r\n"] });
      [session, blocks] = [made.session, made.blocks];
      const link = await connect(plane.url, host);
      for (const block of blocks) link.socket.send(block.bytes);
      for (let complete = false; !complete; ) complete = (await link.next("recording-offset")).complete;
      await link.close();
      const files = s3?.keys().map((key) => s3?.file(key) ?? "") ?? [
        recordingFile(`${plane.directory}/recordings`, host.id, session),
      ];
      stored = s3
        ? new ObjectStorage(db, new Bucket(s3.location))
        : new DirectoryStorage(`${plane.directory}/recordings`);
      let start = 0;
      parts = files.map((file) => {
        const part = { file, start, bytes: readFileSync(file) };
        start += part.bytes.length;
        return part;
      });
      assert.equal(start, Buffer.concat(blocks.map(({ bytes }) => bytes)).length);
    });
    after(async () => {
      await db.destroy();
      await plane.close();
      await s3?.close();
    });
    afterEach(async () => {
      assert.equal((await verifyLogged())?.size !== undefined, true);
      assert.equal(await complaint(verifyAudit()), "it holds");
    });

    it("shows in a recording, and the block is named", async () => {
      // A bucket takes its time, and the blocks in it are the same.
      const some = places().filter((_, index) => s3 === undefined || index % 5 === 0);
      for (const { at, sequence } of some) {
        const said = await flipped(at, () => complaint(verifyStored()));
        assert.match(said, new RegExp(`^Block ${sequence}\\b`), `byte ${at}`);
      }
    });

    it("shows through the API as well, and so does a byte that is missing", async () => {
      let start = 0;
      for (const { sequence, bytes } of blocks) {
        for (const at of [3, 50, 60, BLOCK_HEAD_LENGTH + 5, bytes.length - 1]) {
          const said = await flipped(start + at, () => complaint(verify()));
          assert.match(said, new RegExp(`^Block ${sequence}\\b`), `byte ${start + at}`);
        }
        start += bytes.length;
      }
      const part = parts.at(-1) ?? assert.fail();
      writeFileSync(part.file, part.bytes.subarray(0, -1));
      const said = await complaint(verify());
      writeFileSync(part.file, part.bytes);
      assert.equal(said, "Block 3 is cut off or its header is damaged.");
    });

    if (storage === "object storage") return;

    it("shows in any column of an entry of the audit log, and the entry is named", async () => {
      const rows = await db.selectFrom("audit_events").selectAll().orderBy("leaf_index").limit(5).execute();
      const flips = rows.flatMap((row, index) =>
        flipsOf(row, index).map((change) => ({ index: row.leaf_index, row, change })),
      );
      for (const { index, row, change } of flips) {
        await db.updateTable("audit_events").set(change).where("leaf_index", "=", index).execute();
        const said = await complaint(verifyAudit());
        await db
          .updateTable("audit_events")
          .set(row)
          .where("leaf_index", "=", change.leaf_index ?? index)
          .execute();
        assert.match(
          said,
          new RegExp(`^Entry ${index} (was changed|is damaged|is missing)`),
          JSON.stringify(change),
        );
      }
      assert.ok(flips.length > rows.length * 8);
    });

    it("shows in the hash of an entry, and the entry is named", async () => {
      const nodes = await db
        .selectFrom("audit_nodes")
        .selectAll()
        .where("level", "=", 0)
        .where("position", "<", 8)
        .execute();
      assert.equal(nodes.length, 8);
      for (const { level, position, hash } of nodes) {
        const at = (position * 5) % 43;
        const set = (text: string) =>
          db
            .updateTable("audit_nodes")
            .set({ hash: text })
            .where("level", "=", level)
            .where("position", "=", position)
            .execute();
        await set(flipCharacter(hash, at));
        const said = await complaint(verifyAudit());
        await set(hash);
        assert.match(said, new RegExp(`^Entry ${position} (was changed|is damaged)`));
      }
    });

    it("shows in the inner hashes that prove a recording to be logged", async () => {
      const { index, size } = (await verifyLogged()) ?? assert.fail();
      let tried = 0;
      for (let level = 0; 2 ** (level + 1) <= size; level++) {
        const position = Math.floor(index / 2 ** level) ^ 1;
        const node = await db
          .selectFrom("audit_nodes")
          .selectAll()
          .where("level", "=", level)
          .where("position", "=", position)
          .executeTakeFirst();
        if (node === undefined) continue;
        const set = (hash: string) =>
          db
            .updateTable("audit_nodes")
            .set({ hash })
            .where("level", "=", level)
            .where("position", "=", position)
            .execute();
        await set(flipCharacter(node.hash, 9));
        const said = await complaint(verifyLogged());
        await set(node.hash);
        assert.notEqual(said, "it holds");
        tried++;
      }
      assert.ok(tried >= 3);
    });

    it("shows in what the database says of a recording", async () => {
      const row = await db.selectFrom("recordings").selectAll().executeTakeFirstOrThrow();
      const changes = [{ length: row.length - 1 }, { leaf_index: (row.leaf_index ?? 0) - 1 }];
      for (const change of changes) {
        await db.updateTable("recordings").set(change).execute();
        const said = await complaint(verifyLogged());
        await db.updateTable("recordings").set(row).execute();
        assert.notEqual(said, "it holds", JSON.stringify(change));
      }
    });
  });

/** A change of one character, or of a number by one, for every column of an entry: a few in the long ones. */
function flipsOf(row: AuditEventsTable, seed: number): Partial<AuditEventsTable>[] {
  const flips: Partial<AuditEventsTable>[] = [
    { leaf_index: row.leaf_index + 1_000_000 },
    { at_ms: row.at_ms + 1 },
  ];
  for (const column of ["id", "type", "actor", "data_json"] as const) {
    const text = row[column];
    for (let at = seed % 5; at < text.length; at += 7 + (text.length >> 2))
      flips.push({ [column]: flipCharacter(text, at) });
  }
  return flips;
}

function flipCharacter(text: string, at: number): string {
  const code = text.charCodeAt(at);
  return text.slice(0, at) + String.fromCharCode(code ^ 1) + text.slice(at + 1);
}
