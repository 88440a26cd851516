import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addHost } from "@sallyport/control-plane/database/hosts.ts";
import { Bucket } from "@sallyport/control-plane/objects/bucket.ts";
import { ObjectStorage } from "@sallyport/control-plane/objects/object-storage.ts";
import { DirectoryStorage } from "@sallyport/control-plane/recordings/directory-storage.ts";
import { RecordingPlaces } from "@sallyport/control-plane/recordings/recording-places.ts";
import { type S3Server, startS3Server } from "../../../fixtures/s3-server.ts";
import { makeWorld, type World } from "./world.ts";

/** Where recordings can be kept. */
export const STORAGES = ["a directory", "object storage"] as const;

/** A host that recordings come from. */
export interface KnownHost {
  id: string;
  name: string;
  key: KeyObject;
  publicKey: KeyObject;
}

/** A {@link World} with places for recordings. */
export interface RecordingWorld extends World {
  places: RecordingPlaces;
  /** Where the files are; and the S3 server, where there is one. */
  directory: string;
  s3: S3Server | undefined;
  /** Every byte that is stored of a recording, in order. */
  stored(hostId: string, session: string): Promise<Buffer>;
  makeHost(digit: number): Promise<KnownHost>;
  close(): Promise<void>;
}

/** Everything that comes, when it has come. */
export async function all<T>(coming: AsyncIterable<T>): Promise<T[]> {
  const come: T[] = [];
  for await (const one of coming) come.push(one);
  return come;
}

/** Makes one whose new recordings go to this storage. */
export async function makeRecordingWorld(storage: (typeof STORAGES)[number]): Promise<RecordingWorld> {
  const world = await makeWorld();
  const directory = mkdtempSync(join(tmpdir(), "sallyport-recordings-"));
  const s3 = storage === "object storage" ? await startS3Server() : undefined;
  const places = new RecordingPlaces({
    directory: new DirectoryStorage(directory),
    objects: s3 && new ObjectStorage(world.db, new Bucket(s3.location)),
  });
  return {
    ...world,
    places,
    directory,
    s3,
    stored: async (hostId, session) => {
      const row = await world.db
        .selectFrom("recordings")
        .selectAll()
        .where("session_id", "=", session)
        .executeTakeFirstOrThrow();
      return Buffer.concat(await all(places.of(row).read({ hostId, session }, 0, row.length)));
    },
    makeHost: async (digit) => {
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
    },
    close: async () => {
      await world.db.destroy();
      await s3?.close();
      rmSync(directory, { recursive: true });
    },
  };
}
