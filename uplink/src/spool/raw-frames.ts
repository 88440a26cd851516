import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { openBlockPath } from "./layout.ts";

/** Raw frames go on into the same file until it is this long; a file of its own for every block would cost more. */
const FILE_SIZE = 1024 * 1024;

/** A file of raw frames, from those of block `first` on. */
interface RawFile {
  first: number;
  fd: number;
  length: number;
}

/**
 * The frames of one recording as they come, before their blocks are sealed: what makes "recorded" true the moment a
 * write returns. Files are removed when every block that they have frames of is on the disk.
 */
export class RawFrames {
  readonly #directory: string;
  #current: RawFile;
  /** Files that are full, oldest first; `last` is the last block with frames in it. */
  readonly #full: (RawFile & { last: number })[] = [];

  constructor(directory: string) {
    this.#directory = directory;
    this.#current = this.#open(0);
  }

  /** Hands `length` bytes of `buffer` to the kernel. Throws the disk's error; then they are not, or not wholly, there. */
  write(buffer: Uint8Array, start: number, length: number): void {
    for (let done = 0; done < length; )
      done += writeSync(this.#current.fd, buffer, start + done, length - done);
    this.#current.length += length;
  }

  /** Block `sequence` begins: a long file ends here, and the next begins with it. Throws the disk's error. */
  beginBlock(sequence: number): void {
    if (this.#current.length < FILE_SIZE) return;
    const full = this.#current;
    this.#current = this.#open(sequence);
    this.#full.push({ ...full, last: sequence - 1 });
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

  #open(first: number): RawFile {
    return { first, fd: openSync(openBlockPath(this.#directory, first), "ax", 0o600), length: 0 };
  }

  // The directory may be gone by then: whoever uploads the recording removes it once it is stored whole.
  #remove({ first }: RawFile): void {
    rmSync(openBlockPath(this.#directory, first), { force: true });
  }
}
