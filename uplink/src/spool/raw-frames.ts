import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { openBlockPath } from "./layout.ts";

/** Raw frames go on into the same file until it is this long; a file of its own for every block would cost more. */
const FILE_SIZE = 1024 * 1024;
/** A file of raw frames never gets this long, as a block is far shorter: what is longer is none, and not to be read. */
export const MAX_RAW_FILE: number = 2 * FILE_SIZE;

/** A file of raw frames, from those of block `first` on. */
interface RawFile {
  first: number;
  fd: number;
  length: number;
}

/**
 * The frames of one recording as they come, before their blocks are sealed: what makes "recorded" true the moment a
 * write returns. A block that is sealed before it is shown may have frames that never came here; then the file that
 * follows begins behind it. Files are removed when every block that they have frames of is on the disk, and there is
 * always one that begins no later than the first block that is not: by that, recovery knows what was not synced.
 */
export class RawFrames {
  readonly #directory: string;
  #current: RawFile;
  /** Files that are full, oldest first; `last` is the last block with frames in it. */
  readonly #full: (RawFile & { last: number })[] = [];
  /** The block that fills. */
  #block = 0;
  /** Frames of the blocks before it have not all come here: the current file takes no more. */
  #gap = false;

  constructor(directory: string) {
    this.#directory = directory;
    this.#current = this.#open(0);
  }

  /** Hands frames to the kernel. Throws the disk's error; then they are not, or not wholly, there. */
  write(bytes: Uint8Array): void {
    this.closeGap();
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#current.fd, bytes, at);
    this.#current.length += bytes.length;
  }

  /** Block `sequence` begins; `whole`: all frames of the one before were written here. Throws the disk's error. */
  beginBlock(sequence: number, whole: boolean): void {
    this.#block = sequence;
    this.#gap ||= !whole;
    if (this.#current.length >= FILE_SIZE) this.#next();
  }

  /** Where blocks have passed this by: begins a file with the block that fills. Throws the disk's error. */
  closeGap(): void {
    if (this.#gap) this.#next();
  }

  /** Every block up to `synced` is on the disk: files with nothing else may go. */
  drop(synced: number): void {
    for (let [oldest] = this.#full; oldest !== undefined && oldest.last <= synced; [oldest] = this.#full) {
      this.#full.shift();
      closeSync(oldest.fd);
      this.#remove(oldest);
    }
  }

  /** Closes all files; they stay. */
  close(): void {
    for (const { fd } of [...this.#full.splice(0), this.#current]) closeSync(fd);
  }

  /** Removes the file that was current; after {@link close}, when the recording is whole on the disk. */
  removeLast(): void {
    this.#remove(this.#current);
  }

  #next(): void {
    const full = this.#current;
    this.#current = this.#open(this.#block);
    this.#full.push({ ...full, last: this.#block - 1 });
    this.#gap = false;
  }

  #open(first: number): RawFile {
    return { first, fd: openSync(openBlockPath(this.#directory, first), "ax", 0o600), length: 0 };
  }

  // The directory may be gone by then: whoever uploads the recording removes it once it is stored whole.
  #remove({ first }: RawFile): void {
    rmSync(openBlockPath(this.#directory, first), { force: true });
  }
}
