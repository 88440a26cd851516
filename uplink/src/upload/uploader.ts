import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { SessionId } from "@sallyport/core/names.ts";
import { isPassing } from "../spool/disk-error.ts";
import { BLOCKS_FILE } from "../spool/layout.ts";
import { setAside } from "../spool/set-aside.ts";
import { readBlockAt, seekBlock } from "./block-file.ts";

/** Blocks of one recording that may be under way unacknowledged. */
const WINDOW = 32;
/** When the server cannot store a recording: the first pause, and the longest, in milliseconds. */
const FIRST_PAUSE = 1_000;
const MAX_PAUSE = 60_000;
/** Stands for every block, of a recording that nobody writes any more. */
const ALL = Number.MAX_SAFE_INTEGER;

const BEGINNING = { acknowledged: 0, positioned: false, paused: undefined, pause: FIRST_PAUSE };

/** The part of the link that uploading needs. */
export interface BlockSender {
  readonly connected: boolean;
  readonly congested: boolean;
  query(recording: SessionId): boolean;
  sendBlock(block: Uint8Array, onFlushed: () => void): boolean;
}

/** What the uploader needs of the host; `rejected` and `kept` are on the spool's file system. */
export interface UploaderContext {
  spool: string;
  /** Takes recordings that can never be uploaded. */
  rejected: string;
  /** Takes recordings that are stored, for a while; null: they are removed at once. */
  kept: string | null;
  sender: BlockSender;
  onStored(recording: SessionId): void;
  /** A recording is not sent any more, said once; it makes no sense, or the server refuses it. */
  onRefused(recording: SessionId, reason: string): void;
  /** A recording could not be moved or removed; it stays in the spool, and this process leaves it alone. */
  onStuck(recording: SessionId, error: unknown): void;
}

interface Upload {
  recording: SessionId;
  /** Byte offset and sequence of the next block to send. */
  offset: number;
  next: number;
  /** Blocks on the disk and synced: sequence numbers below this may be sent. */
  available: number;
  acknowledged: number;
  /** The server has said where to go on. */
  positioned: boolean;
  /** The server could not store it; it is asked again when this has run. */
  paused: NodeJS.Timeout | undefined;
  /** The next such pause, in milliseconds. */
  pause: number;
}

/**
 * Uploads recordings block by block while they are written. Resumes where the server says (`recording-query`), keeps at
 * most a window of blocks under way, and removes the local copy only after the server has stored the end. A recording
 * that the server rejects, or that cannot be read, is never sent again, and is set aside once nobody writes it any more:
 * one sick recording stops no other.
 */
export class Uploader {
  readonly #context: UploaderContext;
  readonly #uploads = new Map<SessionId, Upload>();
  /** Not sent any more: refused while they are still written, or in nobody's power to move. */
  readonly #refused = new Set<SessionId>();

  constructor(context: UploaderContext) {
    this.#context = context;
  }

  /** Recordings that wait for upload or for acknowledgement. */
  get pending(): number {
    return this.#uploads.size;
  }

  /** Blocks below `available` of this recording are durable locally. The first time, it is asked where to go on. */
  offer(recording: SessionId, available: number): void {
    if (this.#refused.has(recording)) {
      if (available === ALL) this.#setAside(recording);
      return;
    }
    let upload = this.#uploads.get(recording);
    if (upload === undefined) {
      // Stored and removed already: the last block can be acknowledged before we are told that the session is over.
      if (!existsSync(this.#pathOf(recording))) return;
      upload = { recording, offset: 0, next: 0, available: 0, ...BEGINNING };
      this.#uploads.set(recording, upload);
      this.#context.sender.query(recording);
    }
    upload.available = Math.max(upload.available, available);
    this.#push(upload);
  }

  /** Offers every block in the file of a recording that nobody writes any more. */
  offerAll(recording: SessionId): void {
    this.offer(recording, ALL);
  }

  /** After a reconnect: asks for every recording where to go on. */
  restart(): void {
    for (const upload of this.#uploads.values()) {
      this.#endPause(upload);
      upload.positioned = false;
      this.#context.sender.query(upload.recording);
    }
  }

  /** The server has stored everything below `nextSequence`. */
  acknowledge(recording: SessionId, nextSequence: number, complete: boolean): void {
    const upload = this.#uploads.get(recording);
    if (upload === undefined) return;
    if (complete) {
      this.#forget(upload);
      this.#store(recording);
      return;
    }
    if (nextSequence > upload.acknowledged) upload.pause = FIRST_PAUSE;
    upload.acknowledged = Math.max(upload.acknowledged, nextSequence);
    this.#whileReadable(upload, () => {
      if (upload.positioned || upload.paused !== undefined) return;
      Object.assign(upload, seekBlock(this.#pathOf(recording), nextSequence));
      upload.positioned = true;
    });
    this.#push(upload);
  }

  /** The server cannot store this recording at the moment: it is asked again after a pause, and the others go on. */
  postpone(recording: SessionId): void {
    const upload = this.#uploads.get(recording);
    // Each of the blocks that are under way may be answered so.
    if (upload === undefined || upload.paused !== undefined) return;
    upload.positioned = false;
    upload.paused = setTimeout(() => {
      upload.paused = undefined;
      this.#context.sender.query(recording);
    }, upload.pause).unref();
    upload.pause = Math.min(upload.pause * 2, MAX_PAUSE);
  }

  /** The server will never take this recording: keep it aside for people to look at. */
  reject(recording: SessionId, reason = "The control plane refuses it."): void {
    const upload = this.#uploads.get(recording);
    if (upload === undefined) return;
    this.#forget(upload);
    // Its writer needs the directory where it is: a session is not to end for this.
    this.#refused.add(recording);
    this.#context.onRefused(recording, reason);
    if (upload.available === ALL) this.#setAside(recording);
  }

  close(): void {
    for (const upload of this.#uploads.values()) this.#forget(upload);
  }

  #forget(upload: Upload): void {
    this.#endPause(upload);
    this.#uploads.delete(upload.recording);
  }

  #endPause(upload: Upload): void {
    clearTimeout(upload.paused);
    upload.paused = undefined;
  }

  #pathOf(recording: SessionId): string {
    return join(this.#context.spool, recording, BLOCKS_FILE);
  }

  #store(recording: SessionId): void {
    const { spool, kept } = this.#context;
    try {
      if (kept === null) rmSync(join(spool, recording), { recursive: true, force: true });
      else setAside(spool, recording, kept);
    } catch (error) {
      this.#context.onStuck(recording, error);
      this.#refused.add(recording);
    }
    this.#context.onStored(recording);
  }

  #setAside(recording: SessionId): void {
    try {
      setAside(this.#context.spool, recording, this.#context.rejected);
      this.#refused.delete(recording);
    } catch (error) {
      this.#context.onStuck(recording, error);
    }
  }

  #push(upload: Upload): void {
    const { sender } = this.#context;
    this.#whileReadable(upload, () => {
      while (
        upload.positioned &&
        upload.next < upload.available &&
        upload.next < upload.acknowledged + WINDOW &&
        sender.connected &&
        !sender.congested
      ) {
        const block = readBlockAt(this.#pathOf(upload.recording), upload.offset);
        if (block === undefined) {
          // Everything before is stored, nobody writes it any more, and yet it has no end: it will never have one.
          if (upload.available === ALL && upload.acknowledged >= upload.next)
            this.reject(upload.recording, `Block ${upload.next} is missing or damaged.`);
          return;
        }
        if (!sender.sendBlock(block, () => this.#pushAll())) return;
        upload.offset += block.length;
        upload.next++;
      }
    });
  }

  // Whoever was held up by a full socket may go on, not only the recording whose block has just left.
  #pushAll(): void {
    for (const upload of this.#uploads.values()) this.#push(upload);
  }

  /** A file that cannot be read stops its own upload only; too few descriptors are no fault of the file. */
  #whileReadable(upload: Upload, work: () => void): void {
    if (!this.#uploads.has(upload.recording)) return;
    try {
      work();
    } catch (error) {
      if (!isPassing(error)) this.reject(upload.recording, String(error));
    }
  }
}
