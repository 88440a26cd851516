import { closeSync, existsSync, fstatSync, openSync, readSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { SessionId } from "@sallyport/core/names.ts";
import { BLOCK_HEAD_LENGTH, blockLengthAt, MAX_BLOCK } from "@sallyport/core/recording/block.ts";
import { BLOCKS_FILE } from "../spool/layout.ts";

/** Blocks of one recording that may be under way unacknowledged. */
const WINDOW = 32;
/** Stands for every block, of a recording that nobody writes any more. */
const ALL = Number.MAX_SAFE_INTEGER;

/** The part of the link that uploading needs. */
export interface BlockSender {
  readonly connected: boolean;
  readonly congested: boolean;
  query(recording: SessionId): boolean;
  sendBlock(block: Uint8Array, onFlushed: () => void): boolean;
}

interface Upload {
  recording: SessionId;
  fd: number;
  /** Byte offset and sequence of the next block to send. */
  offset: number;
  next: number;
  /** Blocks on the disk and synced: sequence numbers below this may be sent. */
  available: number;
  acknowledged: number;
  /** The server has said where to go on. */
  positioned: boolean;
}

/**
 * Uploads recordings block by block while they are written. Resumes where the server says (`recording-query`), keeps at
 * most a window of blocks under way, and removes the local copy only after the server has stored the end. A recording
 * that the server rejects is never sent again, and is set aside under `rejected/` once nobody writes it any more: one
 * sick recording stops no other.
 */
export class Uploader {
  readonly #spool: string;
  readonly #rejected: string;
  readonly #sender: BlockSender;
  readonly #uploads = new Map<SessionId, Upload>();
  /** Rejected while they are still written. */
  readonly #refused = new Set<SessionId>();
  readonly #onStored: (recording: SessionId) => void;

  constructor(
    spool: string,
    rejectedDirectory: string,
    sender: BlockSender,
    onStored: (recording: SessionId) => void,
  ) {
    this.#spool = spool;
    this.#rejected = rejectedDirectory;
    this.#sender = sender;
    this.#onStored = onStored;
  }

  /** Recordings that wait for upload or for acknowledgement. */
  get pending(): number {
    return this.#uploads.size;
  }

  /** Blocks below `available` of this recording are durable locally. Opening it the first time asks where to go on. */
  offer(recording: SessionId, available: number): void {
    if (this.#refused.has(recording)) {
      if (available === ALL) this.#setAside(recording);
      return;
    }
    let upload = this.#uploads.get(recording);
    if (upload === undefined) {
      const path = join(this.#spool, recording, BLOCKS_FILE);
      // Stored and removed already: the last block can be acknowledged before we are told that the session is over.
      if (!existsSync(path)) return;
      const fd = openSync(path, "r");
      upload = { recording, fd, offset: 0, next: 0, available: 0, acknowledged: 0, positioned: false };
      this.#uploads.set(recording, upload);
      this.#sender.query(recording);
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
      upload.positioned = false;
      this.#sender.query(upload.recording);
    }
  }

  /** The server has stored everything below `nextSequence`. */
  acknowledge(recording: SessionId, nextSequence: number, complete: boolean): void {
    const upload = this.#uploads.get(recording);
    if (upload === undefined) return;
    if (complete) {
      this.#forget(upload);
      rmSync(join(this.#spool, recording), { recursive: true, force: true });
      this.#onStored(recording);
      return;
    }
    upload.acknowledged = Math.max(upload.acknowledged, nextSequence);
    if (!upload.positioned) {
      this.#seek(upload, nextSequence);
      upload.positioned = true;
    }
    this.#push(upload);
  }

  /** The server will never take this recording: keep it aside for people to look at. */
  reject(recording: SessionId): void {
    const upload = this.#uploads.get(recording);
    if (upload === undefined) return;
    this.#forget(upload);
    // Its writer needs the directory where it is: a session is not to end for this.
    this.#refused.add(recording);
    if (upload.available === ALL) this.#setAside(recording);
  }

  close(): void {
    for (const upload of this.#uploads.values()) closeSync(upload.fd);
    this.#uploads.clear();
  }

  #setAside(recording: SessionId): void {
    try {
      renameSync(join(this.#spool, recording), join(this.#rejected, recording));
      this.#refused.delete(recording);
    } catch (error) {
      // It stays in the spool, and is not sent again by this process.
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  }

  #forget(upload: Upload): void {
    closeSync(upload.fd);
    this.#uploads.delete(upload.recording);
  }

  #seek(upload: Upload, sequence: number): void {
    upload.offset = 0;
    for (upload.next = 0; upload.next < sequence; upload.next++) {
      const length = blockLength(upload.fd, upload.offset);
      if (length === undefined) return;
      upload.offset += length;
    }
  }

  #push(upload: Upload): void {
    while (
      upload.positioned &&
      upload.next < upload.available &&
      upload.next < upload.acknowledged + WINDOW &&
      this.#sender.connected &&
      !this.#sender.congested
    ) {
      const block = readBlock(upload.fd, upload.offset);
      if (block === undefined) return;
      if (!this.#sender.sendBlock(block, () => this.#pushAll())) return;
      upload.offset += block.length;
      upload.next++;
    }
  }

  // Whoever was held up by a full socket may go on, not only the recording whose block has just left.
  #pushAll(): void {
    for (const upload of this.#uploads.values()) this.#push(upload);
  }
}

function blockLength(fd: number, offset: number): number | undefined {
  const head = Buffer.allocUnsafe(BLOCK_HEAD_LENGTH);
  if (readSync(fd, head, 0, head.length, offset) < head.length) return undefined;
  const length = blockLengthAt(head, 0);
  return length !== undefined && length <= MAX_BLOCK && offset + length <= fstatSync(fd).size
    ? length
    : undefined;
}

function readBlock(fd: number, offset: number): Uint8Array | undefined {
  const length = blockLength(fd, offset);
  if (length === undefined) return undefined;
  const block = Buffer.allocUnsafe(length);
  return readSync(fd, block, 0, length, offset) === length ? block : undefined;
}
