import { createHash } from "node:crypto";
import { SallyportError } from "@sallyport/core/errors.ts";
import { Id, SessionId } from "@sallyport/core/names.ts";
import { recordingParts, replaceRecordingParts } from "../database/recordings.ts";
import type { Database, RecordingPartsTable } from "../database/tables.ts";
import {
  type Append,
  type BlockStorage,
  inPortions,
  type RecordingName,
  type StoredPart,
} from "../recordings/block-storage.ts";
import type { Bucket } from "./bucket.ts";

/** Most bytes of an object that is stored as blocks come. */
const MAX_PART = 4 * 1024 * 1024;
/** Most bytes of an object that a complete recording is rewritten to. */
const MAX_TIDY = 8 * 1024 * 1024;
const LISTED = 1000;

/**
 * Recordings in object storage, which can put whole objects but not append: an object for the blocks that came together.
 * Its name has their place and hash, so that of two replicas that store the same place neither harms the other's; which of
 * them counts is in the database (`recording_parts`). What is not listed there goes with the recording.
 */
export class ObjectStorage implements BlockStorage {
  readonly #db: Database;
  readonly #bucket: Bucket;

  constructor(db: Database, bucket: Bucket) {
    this.#db = db;
    this.#bucket = bucket;
  }

  async append({ length, firstSequence, blocks, ...recording }: Append): Promise<readonly StoredPart[]> {
    const parts: StoredPart[] = [];
    let start = length;
    let sequence = firstSequence;
    for (const portion of inPortions(blocks, MAX_PART)) {
      const bytes = Buffer.concat(portion);
      const name = partName(recording, start, bytes);
      await this.#bucket.put(name, bytes);
      parts.push({ start, length: bytes.length, firstSequence: sequence, name });
      start += bytes.length;
      sequence += portion.length;
    }
    return parts;
  }

  async *read(recording: RecordingName, from: number, to: number): AsyncGenerator<Uint8Array> {
    let at = from;
    let missed: string | undefined;
    while (at < to) {
      const parts = await recordingParts(this.#db, recording.session);
      const part = parts.find(({ start, length }) => start <= at && at < start + length);
      // Tidying may have put another object in the place of the one that was just not there.
      if (part === undefined || part.name === missed)
        throw new SallyportError("recording-malformed", `The stored recording is damaged at byte ${at}.`);
      missed = part.name;
      for (const each of parts.slice(parts.indexOf(part))) {
        const end = Math.min(to, each.start + each.length);
        if (each.start > at || end <= at) break;
        missed = each.name;
        for await (const piece of this.#bucket.read(each.name, at - each.start, end - each.start)) {
          at += piece.length;
          yield piece;
        }
        if (at < end) break;
      }
    }
  }

  async nearest({ session }: RecordingName, sequence: number): Promise<{ sequence: number; start: number }> {
    const parts = await recordingParts(this.#db, session);
    const part = parts.findLast((one) => one.first_sequence <= sequence);
    return { sequence: part?.first_sequence ?? 0, start: part?.start ?? 0 };
  }

  /** Rewrites what came in small objects into few, and removes what is not listed, whoever left it. */
  async tidy(recording: RecordingName): Promise<void> {
    const before = await recordingParts(this.#db, recording.session);
    const after: RecordingPartsTable[] = [];
    for (const run of inRuns(before, MAX_TIDY)) {
      const [first] = run;
      if (first === undefined) continue;
      after.push(run.length === 1 ? first : await this.#merge(recording, run, first));
    }
    if (after.length < before.length) await replaceRecordingParts(this.#db, recording.session, before, after);
    const listed = new Set((await recordingParts(this.#db, recording.session)).map(({ name }) => name));
    await this.#removeBut(recording, listed);
  }

  async #merge(
    recording: RecordingName,
    run: readonly RecordingPartsTable[],
    first: RecordingPartsTable,
  ): Promise<RecordingPartsTable> {
    const length = run.reduce((sum, part) => sum + part.length, 0);
    const pieces: Uint8Array[] = [];
    for await (const piece of this.read(recording, first.start, first.start + length)) pieces.push(piece);
    const bytes = Buffer.concat(pieces);
    const name = partName(recording, first.start, bytes);
    await this.#bucket.put(name, bytes);
    return { ...first, length, name };
  }

  /** By their names in the bucket and not by the database, so that what no replica committed goes too. */
  async remove(recording: RecordingName): Promise<void> {
    await this.#removeBut(recording, new Set());
  }

  async #removeBut(recording: RecordingName, kept: ReadonlySet<string>): Promise<void> {
    for (;;) {
      const names = await this.#bucket.list(folder(recording), LISTED);
      const unwanted = names.filter((name) => !kept.has(name));
      for (const name of unwanted) await this.#bucket.remove(name);
      if (names.length < LISTED || unwanted.length === 0) return;
    }
  }
}

/** Parts that follow each other and fit together into so many bytes. */
function inRuns(parts: readonly RecordingPartsTable[], limit: number): RecordingPartsTable[][] {
  const runs: RecordingPartsTable[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const part of parts) {
    if (size + part.length > limit) {
      runs.push([]);
      size = 0;
    }
    runs.at(-1)?.push(part);
    size += part.length;
  }
  return runs;
}

function folder({ hostId, session }: RecordingName): string {
  return `${Id.parse(hostId)}/${SessionId.parse(session)}/`;
}

function partName(recording: RecordingName, start: number, bytes: Uint8Array): string {
  const hash = createHash("sha256").update(bytes).digest("hex");
  return `${folder(recording)}${String(start).padStart(16, "0")}-${hash}`;
}
