import type { KeyObject } from "node:crypto";
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { SessionId } from "@sallyport/core/names.ts";
import { NO_HASH, sealBlock } from "@sallyport/core/recording/block.ts";
import {
  type EndRecord,
  FrameKind,
  frameLength,
  MAX_FRAME_DATA,
  type StartRecord,
  writeFrameHead,
} from "@sallyport/core/recording/frame.ts";
import { syncData, syncDirectories } from "./durable.ts";
import { BLOCK_SIZE, BLOCKS_FILE, OWNER_FILE } from "./layout.ts";
import { RawFrames } from "./raw-frames.ts";

const compress = promisify(zstdCompress);
/** A block is closed after this long, so that the control plane is at most about a second behind. */
const BLOCK_TIME_MS = 1000;
/** A sync of the disk at most this often while blocks keep coming; DESIGN asks for one a second at least. */
const SYNC_INTERVAL_MS = 250;
/** Blocks that may wait to be compressed before the writer asks its session to pause. */
const MAX_UNSEALED = 8;

/** What the writer needs of the world; `micros` is the time since the session began, never going back. */
export interface WriterContext {
  spool: string;
  hostKey: KeyObject;
  micros(): number;
  /** Identifies this process, for recovery: what goes into the `owner` file. */
  owner: string;
  /** Block `sequence` is on the disk and may be uploaded. */
  onSealed(session: SessionId, sequence: number): void;
  /**
   * The spool failed (disk full, I/O error): nothing more may be shown. Called once; after it the writer touches no file
   * of the recording any more, so that it can be recovered.
   */
  onFailed(error: unknown): void;
}

/** The block that fills. */
interface OpenBlock {
  sequence: number;
  buffer: Buffer;
  length: number;
  frames: number;
  openedAt: number;
}

// Buffers are used again: a new one for every block would keep the garbage collector busy under load.
const spareBuffers: Buffer[] = [];

function openBlock(sequence: number): OpenBlock {
  // One frame may cross the limit by its own length and head.
  const buffer = spareBuffers.pop() ?? Buffer.allocUnsafeSlow(BLOCK_SIZE + MAX_FRAME_DATA + 32);
  return { sequence, buffer, length: 0, frames: 0, openedAt: 0 };
}

function recycle(buffer: Buffer): void {
  if (spareBuffers.length < MAX_UNSEALED) spareBuffers.push(buffer);
}

/**
 * Writes one recording into the spool. `write` returns after the bytes are in the kernel's hands: they survive the
 * death of this process (a power cut may take the last second). Full blocks are compressed off the main thread,
 * chained, signed, appended to `blocks` and synced; only then are they announced for upload and their raw frames
 * removed. When `mayWrite` is false the session must pause its source until `onDrain`. A spool that cannot even take the
 * start record makes the constructor throw, and nothing of the recording is left.
 */
export class RecordingWriter {
  readonly session: SessionId;
  readonly #directory: string;
  readonly #context: WriterContext;
  readonly #blocksFd: number;
  readonly #raw: RawFrames;
  #released: Promise<void> | undefined;
  #block: OpenBlock;
  #sealing: Promise<void> = Promise.resolve();
  #unsealed = 0;
  #previousHash: Uint8Array = NO_HASH;
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
    this.#directory = join(context.spool, session);
    mkdirSync(this.#directory, { mode: 0o700 });
    const opened: { close(): void }[] = [];
    try {
      // Their names are made durable with the first block, in `#syncNow`: a login does not wait for the disk.
      writeFileSync(join(this.#directory, OWNER_FILE), context.owner, { mode: 0o600 });
      const blocksFd = openSync(join(this.#directory, BLOCKS_FILE), "ax", 0o600);
      opened.push({ close: () => closeSync(blocksFd) });
      this.#blocksFd = blocksFd;
      this.#raw = new RawFrames(this.#directory);
      opened.push(this.#raw);
      this.#block = openBlock(0);
      this.#append(FrameKind.start, record);
      // The first block is sealed with the first tick: so a session is soon seen at the control plane, and a short
      // command is one block, not three.
      this.#block.openedAt = Number.NEGATIVE_INFINITY;
    } catch (error) {
      for (const one of opened) one.close();
      rmSync(this.#directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** False while too many blocks wait to be compressed. */
  get mayWrite(): boolean {
    return this.#unsealed < MAX_UNSEALED;
  }

  /**
   * Records one thing that happened. Returns false when the spool has failed: then it was not recorded, or not wholly,
   * and must not be shown. Data of any length; it is split into frames.
   */
  write(kind: FrameKind, data: Uint8Array): boolean {
    for (let at = 0; at < data.length || at === 0; at += MAX_FRAME_DATA) {
      if (this.#failure !== undefined || this.#ended !== undefined) return false;
      try {
        this.#append(kind, data.subarray(at, at + MAX_FRAME_DATA));
      } catch (error) {
        this.#fail(error);
        return false;
      }
      if (this.#block.length >= BLOCK_SIZE) this.#tryRotate();
    }
    return true;
  }

  /** Seals what has been open for long enough; called a few times a second. */
  tick(nowMs: number): void {
    if (this.#failure !== undefined || this.#ended !== undefined) return;
    if (this.#block.frames > 0 && nowMs - this.#block.openedAt >= BLOCK_TIME_MS) this.#tryRotate();
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
        this.#sealSoon(this.#block, true);
      } catch (error) {
        this.#fail(error);
      }
    }
    await this.#release();
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#raw.removeLast();
  }

  #append(kind: FrameKind, data: Uint8Array): void {
    const micros = Math.max(this.#lastMicros, this.#context.micros());
    this.#lastMicros = micros;
    const block = this.#block;
    const length = frameLength(micros, data.length);
    const start = block.length;
    const at = writeFrameHead(block.buffer, start, kind, micros, data.length);
    block.buffer.set(data, at);
    this.#raw.write(block.buffer, start, length);
    if (block.frames === 0) block.openedAt = Date.now();
    block.length += length;
    block.frames++;
  }

  #tryRotate(): void {
    try {
      this.#rotate();
    } catch (error) {
      this.#fail(error);
    }
  }

  #rotate(): void {
    const block = this.#block;
    this.#raw.beginBlock(block.sequence + 1);
    this.#block = openBlock(block.sequence + 1);
    this.#sealSoon(block, false);
  }

  #sealSoon(block: OpenBlock, last: boolean): void {
    this.#unsealed++;
    this.#sealing = this.#sealing
      .then(() => this.#seal(block, last))
      .catch((error: unknown) => this.#fail(error));
  }

  async #seal(block: OpenBlock, last: boolean): Promise<void> {
    if (this.#failure !== undefined) return;
    const raw = block.buffer.subarray(0, block.length);
    const compressed = await compress(raw, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
    if (this.#failure !== undefined) return;
    const sealed = sealBlock(
      {
        session: this.session,
        sequence: block.sequence,
        last,
        frameCount: block.frames,
        raw,
        compressed,
        previousHash: this.#previousHash,
      },
      this.#context.hostKey,
    );
    for (let at = 0; at < sealed.bytes.length; ) at += writeSync(this.#blocksFd, sealed.bytes, at);
    this.#previousHash = sealed.hash;
    recycle(block.buffer);
    this.#unsynced.push(block.sequence);
    this.#unsealed--;
    if (this.#unsealed === MAX_UNSEALED - 1 && this.#ended === undefined) this.onDrain?.();
    if (last) await this.#sync();
    else this.#syncSoon();
  }

  /** One sync at a time, and under load one for all the blocks of a quarter of a second. */
  #syncSoon(): void {
    if (this.#syncTimer !== undefined) return;
    const wait = Math.max(0, this.#lastSync + SYNC_INTERVAL_MS - Date.now());
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
    await syncData(this.#blocksFd);
    if (this.#failure !== undefined) return;
    this.#lastSync = Date.now();
    for (const sequence of sequences) this.#context.onSealed(this.session, sequence);
    this.#raw.drop(sequences.at(-1) ?? -1);
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
    await this.#sealing;
    clearTimeout(this.#syncTimer);
    await this.#syncing;
    closeSync(this.#blocksFd);
    this.#raw.close();
  }
}
