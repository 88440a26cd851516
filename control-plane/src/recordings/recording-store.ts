import { SallyportError } from "@sallyport/core/errors.ts";
import type { Block } from "@sallyport/core/recording/block.ts";
import { audit } from "../audit/audit.ts";
import { inTransaction } from "../database/open-database.ts";
import { recordingPosition, savePosition, saveRecordingLeaf } from "../database/recordings.ts";
import { addSession, endSession } from "../database/sessions.ts";
import type { Database, RecordingsTable } from "../database/tables.ts";
import type { Environment } from "../environment.ts";
import { type Judgement, judgeBlocks, type SendingHost, type StoredState } from "./judge-blocks.ts";
import { appendDurably, recordingFile } from "./recording-files.ts";
import { storedBlockHash } from "./stored-blocks.ts";

/** What a host is told of a block. `stored` says where the upload goes on. */
export type BlockAnswer =
  | { type: "stored"; nextSequence: number; complete: boolean }
  | { type: "rejected"; code: string; message: string }
  /** Our disk or database is at fault, as `error` says; what of it is stored is to be asked for after a while. */
  | { type: "later"; error: unknown }
  /** A later block that came together with this one carries the answer. */
  | { type: "answered-later" };

/** How long the disk may take with what came together of one recording, in milliseconds. */
const PATIENCE = 10_000;

const HANGS: BlockAnswer = { type: "later", error: new Error("the disk or the database does not answer") };

interface Waiting {
  host: SendingHost;
  block: Block;
  answer(answer: BlockAnswer): void;
}

/** What {@link RecordingStore} needs. `directory` is where recordings are kept. */
export interface RecordingStoreNeeds {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
  directory: string;
}

/**
 * Stores recordings, block by block. A block is answered only when it is on the disk and its position is committed;
 * blocks of one recording that wait together share one fsync. Each recording has a queue of its own, and one that hangs
 * holds none: its blocks are answered `later` and forgotten, and it is the host that keeps them.
 */
export class RecordingStore {
  readonly #needs: RecordingStoreNeeds;
  readonly #queues = new Map<string, Waiting[]>();
  readonly #working = new Set<Promise<void>>();
  /** Recordings that the disk has had for too long. */
  readonly #stuck = new Set<string>();

  constructor(needs: RecordingStoreNeeds) {
    this.#needs = needs;
  }

  /** Where the upload of a recording goes on. Another host's recording has no position: code `forbidden`. */
  async position(hostId: string, session: string): Promise<{ nextSequence: number; complete: boolean }> {
    const row = await recordingPosition(this.#needs.db, session);
    if (row === undefined) return { nextSequence: 0, complete: false };
    if (row.host_id !== hostId)
      throw new SallyportError("forbidden", "This recording belongs to another host.");
    return { nextSequence: row.next_sequence, complete: row.complete === 1 };
  }

  /** Stores a block. Never rejects, and is answered at the latest when the disk has taken too long. */
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
    const row = await recordingPosition(this.#needs.db, session);
    const judgement = judgeBlocks(batch, row && this.#stored(row));
    const failure = await this.#append(session, row, judgement);
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

  /** Writes what was accepted. A stored file that was altered is an error of that recording alone, and is returned. */
  async #append(
    session: string,
    row: RecordingsTable | undefined,
    judgement: Judgement,
  ): Promise<SallyportError | undefined> {
    const { accepted, start, end, chain } = judgement;
    const hostId = row?.host_id ?? start?.host.id;
    if (accepted.length === 0 || hostId === undefined) return undefined;
    const file = recordingFile(this.#needs.directory, hostId, session);
    const length = row?.length ?? 0;
    try {
      await appendDurably(
        file,
        length,
        accepted.map((block) => block.bytes),
      );
    } catch (error) {
      if (error instanceof SallyportError) return error;
      throw error;
    }
    const sum = (pick: (block: Block) => number) => accepted.reduce((total, block) => total + pick(block), 0);
    await inTransaction(this.#needs.db, async (db) => {
      await savePosition(db, {
        session_id: session,
        host_id: hostId,
        next_sequence: chain.nextSequence,
        length: length + sum((block) => block.bytes.length),
        head_hash: Buffer.from(chain.hash).toString("hex"),
        complete: chain.complete ? 1 : 0,
        raw_bytes: (row?.raw_bytes ?? 0) + sum((block) => block.rawLength),
      });
      if (start !== undefined) await addSession(db, start);
      if (end === undefined) return;
      await endSession(db, session, end);
      const data = { session, blocks: chain.nextSequence, headHash: Buffer.from(chain.hash).toString("hex") };
      const leaf = await audit(db, this.#needs.environment, {
        type: "recording-complete",
        actor: hostId,
        data,
      });
      await saveRecordingLeaf(db, session, leaf);
    });
    return undefined;
  }

  async #reject({ host, block, answer }: Waiting, { code, message }: SallyportError): Promise<void> {
    await audit(this.#needs.db, this.#needs.environment, {
      type: "recording-rejected",
      actor: host.id,
      data: { session: block.session, sequence: block.sequence, code, message },
    });
    answer({ type: "rejected", code, message });
  }

  #stored(row: RecordingsTable): StoredState {
    const hash = Buffer.from(row.head_hash, "hex");
    const file = recordingFile(this.#needs.directory, row.host_id, row.session_id);
    return {
      hostId: row.host_id,
      chain: { nextSequence: row.next_sequence, hash, complete: row.complete === 1 },
      hashOf: (sequence) => (sequence === row.next_sequence - 1 ? hash : storedBlockHash(file, sequence)),
    };
  }
}
