import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import { ContentDigest } from "./content-digest.ts";
import { SSH_FXF } from "./protocol.ts";

export type FileEvent = Extract<SessionEvent, { type: "file" }>;

/** OpenSSH gives no more at once (SFTP_MAX_READ_LENGTH): less than was asked for is the end only if no more than this was. */
const MAX_READ = 255 * 1024;

/** How an OPEN opens: what sftp-server makes of its `pflags`. */
export interface OpenMode {
  reads: boolean;
  writes: boolean;
  /** Nothing of what was in the file is left. */
  fresh: boolean;
  append: boolean;
}

/** sftp-server opens for reading what asks for neither. */
export function openMode(pflags: number): OpenMode {
  const set = (bit: number) => (pflags & bit) !== 0;
  return {
    reads: set(SSH_FXF.READ) || !set(SSH_FXF.WRITE),
    writes: set(SSH_FXF.WRITE | SSH_FXF.CREAT | SSH_FXF.TRUNC | SSH_FXF.APPEND),
    fresh: set(SSH_FXF.TRUNC) || (set(SSH_FXF.CREAT) && set(SSH_FXF.EXCL)),
    append: set(SSH_FXF.APPEND),
  };
}

/** A file between its OPEN and its CLOSE: what was read from it and what was written to it. */
export class OpenFile {
  readonly path: string;
  readonly mode: OpenMode;
  /** Largest size that it may get. */
  maxSize: number;
  readonly #read = new ContentDigest();
  readonly #write = new ContentDigest();
  #bytesRead = 0;
  #bytesWritten = 0;
  /** Something was to be written, whatever came of it. */
  #writeAsked = false;
  /** The smallest offset at which nothing was found any more, and what size the host last said. */
  #end: number | undefined;
  #size: number | undefined;
  #failure: string | undefined;
  /** It was told once that it may not grow so large. */
  refused = false;
  /** It may not be read or written any more. */
  revoked = false;

  constructor(path: string, mode: OpenMode, maxSize: number) {
    [this.path, this.mode, this.maxSize] = [path, mode, maxSize];
    if (!mode.fresh || mode.append) this.#write.spoil();
  }

  /** Data of the host for a READ at `offset` begins. */
  readStarts(offset: number, asked: number, given: number): void {
    this.#read.startAt(offset);
    this.#bytesRead += given;
    if (given < asked && asked <= MAX_READ) this.endAt(offset + given);
  }

  readMore(bytes: Uint8Array): void {
    this.#read.add(bytes);
  }

  /** There is nothing at `offset` any more. */
  endAt(offset: number): void {
    this.#end = Math.min(this.#end ?? offset, offset);
  }

  /** The host said how large it is; for programs that do not read on to where there is nothing. */
  sizeIs(size: number): void {
    this.#size = size;
  }

  writeStarts(offset: number): void {
    this.#writeAsked = true;
    this.#write.startAt(offset);
  }

  writeMore(bytes: Uint8Array): void {
    this.#write.add(bytes);
  }

  written(length: number): void {
    this.#bytesWritten += length;
  }

  /** Its size or content changed otherwise: what went past is not all of it. */
  changed(): void {
    this.#write.spoil();
  }

  failed(text: string): void {
    this.#failure ??= text;
    this.#write.spoil();
    this.#read.spoil();
  }

  /** What is to be told of it when it is closed; `cut` says why it was not. */
  events(cut: string | null): FileEvent[] {
    const events: FileEvent[] = [];
    if (this.mode.writes && (this.#writeAsked || this.mode.fresh || this.#bytesRead === 0)) {
      const sha256 = this.#write.finish();
      const partly = "no digest: not written in order from the first byte to the last";
      events.push(this.#event("write", this.#bytesWritten, sha256, sha256 === null ? partly : "", cut));
    }
    if (!this.mode.writes || this.#bytesRead > 0) {
      const sha256 = (this.#end ?? this.#size) === this.#read.length ? this.#read.finish() : null;
      const partly = "no digest: not read in order from the first byte to the last";
      events.push(this.#event("read", this.#bytesRead, sha256, sha256 === null ? partly : "", cut));
    }
    return events;
  }

  #event(
    operation: "read" | "write",
    bytes: number,
    sha256: string | null,
    detail: string,
    cut: string | null,
  ): FileEvent {
    const problem = this.#failure ?? cut;
    return {
      ...{ type: "file", protocol: "sftp", operation, path: this.path, target: null, bytes },
      sha256: problem === null ? sha256 : null,
      result: problem === null ? "ok" : "failed",
      detail: problem ?? detail,
    };
  }
}
