import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { MAX_BLOCK_RAW } from "@sallyport/core/recording/block.ts";
import { openBlockPath } from "./layout.ts";

/** Raw frames go on into the same file until it is this long; a file of its own for every block would cost more. */
const FILE_SIZE = 4 * 1024 * 1024;
/** Longest file of raw frames: a block may begin just before its end. */
export const MAX_RAW_FILE: number = FILE_SIZE + MAX_BLOCK_RAW;

/** A file of raw frames, from those of block `first` on. */
interface RawFile {
  first: number;
  fd: number;
  /** Where the next frame goes. */
  position: number;
  /** How much of what is before it has come here. */
  written: number;
}

/**
 * The frames of one recording as they come, before their blocks are sealed: what makes "recorded" true the moment a
 * write returns. Frames that were sealed before they were shown leave a hole, so that a file's positions always count
 * all frames from its first block on. Files are removed when every block that they have frames of is on the disk, and
 * there is always one that begins no later than the first block that is not: by that, recovery knows what was not synced.
 */
export class RawFrames {
  readonly #directory: string;
  #current: RawFile;
  /** Files that take no more, oldest first; `last` is the last block with frames in it. */
  readonly #full: (RawFile & { last: number })[] = [];
  #renew = false;

  constructor(directory: string) {
    this.#directory = directory;
    this.#current = this.#open(0);
  }

  /** Hands frames to the kernel. Throws the disk's error; then they are not, or not wholly, there. */
  write(bytes: Uint8Array): void {
    const file = this.#current;
    for (let at = 0; at < bytes.length; )
      at += writeSync(file.fd, bytes, at, bytes.length - at, file.position + at);
    file.position += bytes.length;
    file.written += bytes.length;
  }

  /** So many bytes of frames are in a sealed block, and have not come here. */
  passOver(length: number): void {
    this.#current.position += length;
  }

  /** Block `sequence` begins: a long file ends here, and the next begins with it. Throws the disk's error. */
  beginBlock(sequence: number): void {
    if (this.#current.position < FILE_SIZE && !this.#renew) return;
    const full = this.#current;
    this.#current = this.#open(sequence);
    this.#full.push({ ...full, last: sequence - 1 });
    this.#renew = false;
  }

  /** Every block up to `synced` is on the disk: files with nothing else may go. */
  drop(synced: number): void {
    for (let [oldest] = this.#full; oldest !== undefined && oldest.last <= synced; [oldest] = this.#full) {
      this.#full.shift();
      closeSync(oldest.fd);
      this.#remove(oldest);
    }
    // Bulk may have gone far past the current file: the next block begins another.
    this.#renew = this.#current.position > this.#current.written && this.#current.first <= synced;
  }

  /** Closes all files; they stay. */
  close(): void {
    for (const { fd } of [...this.#full.splice(0), this.#current]) closeSync(fd);
  }

  /** Removes the file that was current; after {@link close}, when the recording is whole on the disk. */
  removeLast(): void {
    this.#remove(this.#current);
  }

  #open(first: number): RawFile {
    return {
      first,
      fd: openSync(openBlockPath(this.#directory, first), "wx", 0o600),
      position: 0,
      written: 0,
    };
  }

  // The directory may be gone by then: whoever uploads the recording removes it once it is stored whole.
  #remove({ first }: RawFile): void {
    rmSync(openBlockPath(this.#directory, first), { force: true });
  }
}
