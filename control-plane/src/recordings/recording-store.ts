import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import type { Block } from "@sallyport/core/recording/block.ts";
import { audit } from "../audit/audit.ts";
import { inTransaction } from "../database/open-database.ts";
import {
  addRecordingParts,
  recordingPosition,
  savePosition,
  saveRecordingLeaf,
} from "../database/recordings.ts";
import { addSession, endSession } from "../database/sessions.ts";
import type { Database, RecordingsTable } from "../database/tables.ts";
import { exclusively } from "../database/write-lock.ts";
import { type Environment, seconds } from "../environment.ts";
import type { StoredPart } from "./block-storage.ts";
import { type Judgement, judgeBlocks, type SendingHost, type StoredState } from "./judge-blocks.ts";
import type { RecordingPlaces } from "./recording-places.ts";
import { storedBlockHash } from "./stored-blocks.ts";

/** What a host is told of a block. `stored` says where the upload goes on. */
export type BlockAnswer =
  | { type: "stored"; nextSequence: number; complete: boolean }
  | { type: "rejected"; code: string; message: string }
  /** Our storage or database is at fault, as `error` says; what of it is stored is to be asked for after a while. */
  | { type: "later"; error: unknown }
  /** A later block that came together with this one carries the answer. */
  | { type: "answered-later" };

/** How long the storage may take with what came together of one recording, in milliseconds. */
const PATIENCE = 10_000;

const HANGS: BlockAnswer = { type: "later", error: new Error("the storage or the database does not answer") };

const ANOTHER_HOSTS = "This recording belongs to another host.";

interface Waiting {
  host: SendingHost;
  block: Block;
  answer(answer: BlockAnswer): void;
}

/** What {@link RecordingStore} needs. */
export interface RecordingStoreNeeds {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
  places: RecordingPlaces;
}

/**
 * Stores recordings, block by block. A block is answered only when it is durable and its position is committed;
 * blocks of one recording that wait together share one fsync, or one object. Each recording has a queue of its own, and one that hangs
 * holds none: its blocks are answered `later` and forgotten, and it is the host that keeps them.
 */
export class RecordingStore {
  readonly #needs: RecordingStoreNeeds;
  readonly #queues = new Map<string, Waiting[]>();
  readonly #working = new Set<Promise<void>>();
  /** Recordings that the storage has had for too long. */
  readonly #stuck = new Set<string>();

  constructor(needs: RecordingStoreNeeds) {
    this.#needs = needs;
  }

  /** Where the upload of a recording goes on. Another host's recording has no position: code `forbidden`. */
  async position(hostId: string, session: string): Promise<{ nextSequence: number; complete: boolean }> {
    const row = await recordingPosition(this.#needs.db, session);
    if (row === undefined) return { nextSequence: 0, complete: false };
    if (row.host_id !== hostId) throw new SallyportError("forbidden", ANOTHER_HOSTS);
    return { nextSequence: row.next_sequence, complete: row.complete === 1 };
  }

  /** How many blocks wait to be stored. */
  get waiting(): number {
    return [...this.#queues.values()].reduce((sum, queue) => sum + queue.length, 0);
  }

  /** Stores a block. Never rejects, and is answered at the latest when the storage has taken too long. */
  receive(host: SendingHost, block: Block): Promise<BlockAnswer> {
    return new Promise((answer) => {
      if (this.#stuck.has(block.session)) return answer(HANGS);
      const queue = this.#queues.get(block.session);
      if (queue !== undefined) {
        queue.push({ host, block, answer });
        return;
      }
      this.#queues.set(block.session, [{ host, block, answer }]);
      const work = this.#work(block.session).finally(() => this.#working.delete(work));
      this.#working.add(work);
    });
  }

  /** Resolves when nothing waits to be stored. */
  async idle(): Promise<void> {
    while (this.#working.size > 0) await Promise.all(this.#working);
  }

  async #work(session: string): Promise<void> {
    for (;;) {
      // One turn of the event loop, so that blocks of one packet are stored together.
      await new Promise(setImmediate);
      const batch = this.#queues.get(session)?.splice(0) ?? [];
      if (batch.length === 0) break;
      const impatient = setTimeout(() => this.#giveUpWaiting(session, batch), PATIENCE);
      try {
        await this.#storeBatch(session, batch);
      } catch (error) {
        for (const { answer } of batch) answer({ type: "later", error });
      }
      clearTimeout(impatient);
      this.#stuck.delete(session);
    }
    this.#queues.delete(session);
  }

  #giveUpWaiting(session: string, batch: readonly Waiting[]): void {
    this.#stuck.add(session);
    const behind = this.#queues.get(session)?.splice(0) ?? [];
    for (const { answer } of [...batch, ...behind]) answer(HANGS);
  }

  async #storeBatch(session: string, batch: readonly Waiting[]): Promise<void> {
    const known = await recordingPosition(this.#needs.db, session);
    if (known !== undefined && known.deleted_at !== null) return this.#answerDeleted(known, batch);
    const { judgement, failure } = await this.#alone(session, known, async (db, row) => {
      const judgement = judgeBlocks(batch, row && (await this.#stored(row, batch)));
      return { judgement, failure: await this.#append(db, session, row, judgement) };
    });
    const kept = batch.filter(({ block }) => !judgement.rejected.has(block));
    for (const waiting of batch) {
      const rejection = failure ?? judgement.rejected.get(waiting.block);
      if (rejection !== undefined) {
        await this.#reject(waiting, rejection);
        continue;
      }
      const { nextSequence, complete } = judgement.chain;
      waiting.answer(
        waiting === kept.at(-1) ? { type: "stored", nextSequence, complete } : { type: "answered-later" },
      );
    }
  }

  /**
   * Of two replicas that write one file, the slower would cut off what the other has stored: there is one at a time.
   * Objects are never written twice, and need no lock while they are on their way.
   */
  async #alone<T>(
    session: string,
    known: RecordingsTable | undefined,
    work: (db: Database, row: RecordingsTable | undefined) => Promise<T>,
  ): Promise<T> {
    const { db, places } = this.#needs;
    const storage = known === undefined ? places.forNew : known.storage;
    if (storage !== null) return work(db, known);
    return exclusively(db, `recording ${session}`, async (db) =>
      work(db, await recordingPosition(db, session)),
    );
  }

  /** Everything of it was stored once, and is not missed. */
  async #answerDeleted(row: RecordingsTable, batch: readonly Waiting[]): Promise<void> {
    for (const waiting of batch) {
      if (waiting.host.id === row.host_id)
        waiting.answer({ type: "stored", nextSequence: row.next_sequence, complete: true });
      else await this.#reject(waiting, new SallyportError("forbidden", ANOTHER_HOSTS));
    }
  }

  /** Writes what was accepted. What is stored and was altered is an error of that recording alone, and is returned. */
  async #append(
    db: Database,
    session: string,
    row: RecordingsTable | undefined,
    judgement: Judgement,
  ): Promise<SallyportError | undefined> {
    const { accepted, start } = judgement;
    const hostId = row?.host_id ?? start?.host.id;
    const [first] = accepted;
    if (first === undefined || hostId === undefined) return undefined;
    const { places } = this.#needs;
    const storage = row === undefined ? places.forNew : row.storage;
    let parts: readonly StoredPart[];
    try {
      parts = await places.of({ storage }).append({
        hostId,
        session,
        length: row?.length ?? 0,
        firstSequence: first.sequence,
        blocks: accepted.map((block) => block.bytes),
      });
    } catch (error) {
      if (isSallyportError(error, "recording-malformed")) return error;
      throw error;
    }
    await inTransaction(db, (db) => this.#commit(db, { session, hostId, storage, row, judgement, parts }));
    return undefined;
  }

  async #commit(
    db: Database,
    stored: {
      session: string;
      hostId: string;
      storage: string | null;
      row: RecordingsTable | undefined;
      judgement: Judgement;
      parts: readonly StoredPart[];
    },
  ): Promise<void> {
    const { session, hostId, storage, row, parts } = stored;
    const { accepted, start, end, chain } = stored.judgement;
    const { environment } = this.#needs;
    const sum = (pick: (block: Block) => number) => accepted.reduce((total, block) => total + pick(block), 0);
    const headHash = Buffer.from(chain.hash).toString("hex");
    const position = {
      session_id: session,
      host_id: hostId,
      next_sequence: chain.nextSequence,
      length: (row?.length ?? 0) + sum((block) => block.bytes.length),
      head_hash: headHash,
      complete: chain.complete ? 1 : 0,
      raw_bytes: (row?.raw_bytes ?? 0) + sum((block) => block.rawLength),
      storage,
      completed_at: chain.complete ? seconds(environment.clock) : null,
    };
    if (!(await savePosition(db, position, row))) throw new Error("another replica stored these blocks");
    await addRecordingParts(
      db,
      parts.map(({ start, length, firstSequence, name }) => ({
        session_id: session,
        start,
        length,
        first_sequence: firstSequence,
        name,
      })),
    );
    if (start !== undefined) await addSession(db, start);
    if (end === undefined) return;
    await endSession(db, session, end);
    const data = { session, blocks: chain.nextSequence, headHash };
    const leaf = await audit(db, environment, { type: "recording-complete", actor: hostId, data });
    await saveRecordingLeaf(db, session, leaf);
  }

  async #reject({ host, block, answer }: Waiting, { code, message }: SallyportError): Promise<void> {
    await audit(this.#needs.db, this.#needs.environment, {
      type: "recording-rejected",
      actor: host.id,
      data: { session: block.session, sequence: block.sequence, code, message },
    });
    answer({ type: "rejected", code, message });
  }

  /** What is stored, with the hashes of those blocks that came again. */
  async #stored(row: RecordingsTable, batch: readonly Waiting[]): Promise<StoredState> {
    const { host_id: hostId, session_id: session, length } = row;
    const head = Buffer.from(row.head_hash, "hex");
    const hashes = new Map<number, Uint8Array | SallyportError>([[row.next_sequence - 1, head]]);
    for (const { host, block } of batch) {
      if (block.sequence >= row.next_sequence || hashes.has(block.sequence) || host.id !== hostId) continue;
      const storage = this.#needs.places.of(row);
      const hash = storedBlockHash(storage, { hostId, session }, block.sequence, length);
      hashes.set(block.sequence, await hash.catch(damageAlone));
    }
    return {
      hostId,
      chain: { nextSequence: row.next_sequence, hash: head, complete: row.complete === 1 },
      hashOf: (sequence) => {
        const hash = hashes.get(sequence);
        if (hash instanceof SallyportError) throw hash;
        return hash;
      },
    };
  }
}

/** Damage to one stored block is told of that block; any other error is of the storage. */
function damageAlone(error: unknown): SallyportError {
  if (isSallyportError(error, "recording-malformed")) return error;
  throw error;
}
