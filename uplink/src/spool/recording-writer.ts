import type { KeyObject } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { SessionId } from "@sallyport/core/names.ts";
import {
  type EndRecord,
  FrameKind,
  MAX_FRAME_DATA,
  type StartRecord,
} from "@sallyport/core/recording/frame.ts";
import { syncDirectories } from "./durable.ts";
import { OWNER_FILE } from "./layout.ts";
import { OpenBlock } from "./open-block.ts";
import { RawFrames } from "./raw-frames.ts";
import { SealedBlockFile } from "./sealed-block-file.ts";

/** A block is closed by the first of four ticks a second after this long: synced when it is a second old, and sent. */
const BLOCK_TIME_MS = 750;
/** A sync of the disk at most this often while blocks keep coming; DESIGN asks for one a second at least. */
const SYNC_INTERVAL_MS = 250;
/** Blocks that the disk may be behind before the writer asks its session to pause: 128 MB. */
const MAX_UNSYNCED = 2048;
/** What comes in bulk is sealed before it is shown, in blocks of at least this size, instead of being written twice. */
const SEAL_AT_ONCE = 40 * 1024;

/** What the writer needs of the world; `micros` is the time since the session began, never going back. */
export interface WriterContext {
  spool: string;
  hostKey: KeyObject;
  micros(): number;
  /** Identifies this process, for recovery: what goes into the `owner` file. */
  owner: string;
  /** `strict`: the writer asks its session to pause until every closed block is on the disk. Default `normal`. */
  durability?: "normal" | "strict";
  /** Block `sequence`, with all before it, is on the disk and may be uploaded. */
  onSealed(session: SessionId, sequence: number): void;
  /**
   * The spool failed (disk full, I/O error): nothing more may be shown. Called once; after it the writer touches no file
   * of the recording any more, so that it can be recovered.
   */
  onFailed(error: unknown): void;
}

/**
 * Writes one recording into the spool. `write` returns after the bytes are in the kernel's hands: they survive the
 * death of this process (a power cut may take the last second). They go into a file of raw frames, and a second later,
 * or when there are enough for a block, compressed, chained and signed into `blocks`; bulk goes straight to `blocks`.
 * Blocks are announced for upload, and their raw frames removed, only when they are synced. When `mayWrite` is false the
 * session must pause its source until `onDrain`: the disk is too far behind or, with `strict`, a closed block is not on
 * it yet. A spool that cannot even take the start record makes the constructor throw, and nothing of the recording is
 * left.
 */
export class RecordingWriter {
  readonly session: SessionId;
  readonly #directory: string;
  readonly #context: WriterContext;
  readonly #blocks: SealedBlockFile;
  readonly #raw: RawFrames;
  #released: Promise<void> | undefined;
  readonly #block = new OpenBlock();
  /** Blocks closed, and of those the ones on the disk. */
  #closed = 0;
  #synced = 0;
  readonly #strict: boolean;
  readonly #unsynced: number[] = [];
  #syncTimer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> = Promise.resolve();
  #lastSync = 0;
  #failure: { error: unknown } | undefined;
  #ended: Promise<void> | undefined;
  #lastMicros = 0;
  /** Called when writing may go on after `mayWrite` was false. */
  onDrain: (() => void) | undefined;

  constructor(start: StartRecord, session: SessionId, context: WriterContext) {
    const record = Buffer.from(JSON.stringify(start));
    if (record.length > MAX_FRAME_DATA)
      throw new SallyportError("recording-malformed", "The start record is longer than 64 KiB.");
    this.session = session;
    this.#context = context;
    this.#strict = context.durability === "strict";
    this.#directory = join(context.spool, session);
    mkdirSync(this.#directory, { mode: 0o700 });
    const opened: { close(): void }[] = [];
    try {
      // Their names are made durable with the first block, in `#syncNow`: a login does not wait for the disk.
      writeFileSync(join(this.#directory, OWNER_FILE), context.owner, { mode: 0o600 });
      this.#blocks = new SealedBlockFile(this.#directory, session, context.hostKey);
      opened.push(this.#blocks);
      this.#raw = new RawFrames(this.#directory);
      opened.push(this.#raw);
      this.#append(FrameKind.start, record);
      this.#handOver();
      // The first block is sealed with the first tick: so a session is soon seen at the control plane, and a short
      // command is one block, not three.
      this.#block.openedAt = Number.NEGATIVE_INFINITY;
    } catch (error) {
      for (const one of opened) one.close();
      rmSync(this.#directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** False while the disk is too far behind; with `strict`, while any closed block is not synced. */
  get mayWrite(): boolean {
    return this.#closed - this.#synced < (this.#strict ? 1 : MAX_UNSYNCED);
  }

  /** True when what `write` took must not be shown before `mayWrite` is true again. */
  get holdsBack(): boolean {
    return this.#strict && !this.mayWrite;
  }

  /**
   * Records one thing that happened. Returns false when the spool has failed: then it was not recorded, or not wholly,
   * and must not be shown. Data of any length; it is split into frames.
   */
  write(kind: FrameKind, data: Uint8Array): boolean {
    return this.add(kind, data) && this.commit();
  }

  /** Like {@link write}, but what is added counts as recorded, and may be shown, only when `commit` says so. */
  add(kind: FrameKind, data: Uint8Array): boolean {
    return this.#attempt(() => {
      for (let at = 0; at < data.length || at === 0; at += MAX_FRAME_DATA) {
        this.#append(kind, data.subarray(at, at + MAX_FRAME_DATA));
        if (this.#block.full) this.#seal(false);
      }
    });
  }

  /** Hands everything added to the kernel. False when the spool has failed: then it is not all recorded. */
  commit(): boolean {
    return this.#attempt(() => {
      if (this.#block.unsafe.length >= SEAL_AT_ONCE) this.#seal(false);
      else this.#handOver();
    });
  }

  /** Seals what has been open for long enough; called a few times a second. */
  tick(nowMs: number): void {
    if (this.#block.frames > 0 && nowMs - this.#block.openedAt >= BLOCK_TIME_MS)
      this.#attempt(() => this.#seal(false));
  }

  /**
   * Writes the end record, seals the last block and resolves when it is on the disk. Rejects when the spool has failed:
   * then the recording has no end until it is recovered.
   */
  end(record: EndRecord): Promise<void> {
    this.#ended ??= this.#finish(record);
    return this.#ended;
  }

  async #finish(record: EndRecord): Promise<void> {
    if (this.#failure === undefined) {
      try {
        this.#append(FrameKind.end, Buffer.from(JSON.stringify(record)));
        this.#seal(true);
        await this.#sync();
      } catch (error) {
        this.#fail(error);
      }
    }
    await this.#release();
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#raw.removeLast();
  }

  /** Does something that the disk may refuse; false when it has, now or before, or when the recording has ended. */
  #attempt(action: () => void): boolean {
    if (this.#failure !== undefined || this.#ended !== undefined) return false;
    try {
      action();
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  #append(kind: FrameKind, data: Uint8Array): void {
    this.#lastMicros = Math.max(this.#lastMicros, this.#context.micros());
    this.#block.append(kind, this.#lastMicros, data);
  }

  #handOver(): void {
    const { unsafe } = this.#block;
    if (unsafe.length > 0) this.#raw.write(unsafe);
    this.#block.settle();
  }

  #seal(last: boolean): void {
    const block = this.#block;
    const { sequence } = block;
    this.#blocks.append(block, last);
    this.#closed++;
    this.#unsynced.push(sequence);
    if (last) return;
    this.#raw.passOver(block.unsafe.length);
    this.#raw.beginBlock(sequence + 1);
    block.begin(sequence + 1);
    this.#syncSoon();
  }

  /** One sync at a time, and under load one for all the blocks of a quarter of a second. */
  #syncSoon(): void {
    if (this.#syncTimer !== undefined) return;
    const wait = this.#strict ? 0 : Math.max(0, this.#lastSync + SYNC_INTERVAL_MS - Date.now());
    this.#syncTimer = setTimeout(() => {
      void this.#sync().then(() => {
        this.#syncTimer = undefined;
        if (this.#unsynced.length > 0 && this.#ended === undefined) this.#syncSoon();
      });
    }, wait);
  }

  /** Never rejects: a failure is told by `onFailed`. */
  #sync(): Promise<void> {
    this.#syncing = this.#syncing.then(() => this.#syncNow()).catch((error: unknown) => this.#fail(error));
    return this.#syncing;
  }

  async #syncNow(): Promise<void> {
    if (this.#failure !== undefined) return;
    const sequences = this.#unsynced.splice(0);
    if (this.#lastSync === 0) await syncDirectories([this.#directory, this.#context.spool]);
    await this.#blocks.sync();
    if (this.#failure !== undefined) return;
    this.#lastSync = Date.now();
    const mightWrite = this.mayWrite;
    this.#synced += sequences.length;
    const last = sequences.at(-1);
    if (last !== undefined) this.#context.onSealed(this.session, last);
    if (!mightWrite && this.mayWrite && this.#ended === undefined) this.onDrain?.();
    this.#raw.drop(last ?? -1);
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    void this.#release();
    this.#context.onFailed(error);
  }

  /** Closes everything, once, as soon as what is under way has come to rest. */
  #release(): Promise<void> {
    this.#released ??= this.#closeWhenQuiet();
    return this.#released;
  }

  async #closeWhenQuiet(): Promise<void> {
    clearTimeout(this.#syncTimer);
    await this.#syncing;
    this.#blocks.close();
    this.#raw.close();
    this.#block.release();
  }
}
