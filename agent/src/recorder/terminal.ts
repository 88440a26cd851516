import { chmodSync, chownSync, closeSync, writeSync } from "node:fs";
import { ReadStream } from "node:tty";
import * as nodePty from "node-pty";
import { duplicate, hasSession, isEchoOff, readAvailable, setWindowSize } from "../kernel/system-calls.ts";

/** Input that may wait for the terminal to take it before the contractor's side is paused. */
const MAX_PENDING_INPUT = 64 * 1024;
const RETRY_MS = 2;
/** What one read of a terminal gives at most, what counts as full, and how much is gathered before it is passed on. */
const PIECE = 4096;
const FULL_PIECE = 4000;
const GATHER = 15 * PIECE;

// node-pty exports this without declaring it: a terminal with no child. Its own `open` puts streams on both ends, of
// which the slave's swallows what the user types and leaves a descriptor open when it is destroyed.
const { native } = nodePty as unknown as {
  native: { open(columns: number, rows: number): { master: number; slave: number; pty: string } };
};

/**
 * The terminal that a session's shell runs on. The master stays in this process, which runs under another uid than the
 * shell: nothing of the user's can reach it. The slave is handed to the user, to be opened by path.
 */
export class Terminal {
  readonly path: string;
  /** Ours until `close`: the stream closes its own when the terminal ends, and the next to open a file gets its number. */
  readonly #fd: number;
  readonly #stream: ReadStream;
  readonly #buffer = Buffer.allocUnsafeSlow(GATHER);
  #heldSlave: number | undefined;
  readonly #pendingInput: Buffer[] = [];
  #pendingLength = 0;
  #hadShell = false;
  #ended = false;
  #closed = false;
  #onData: (bytes: Buffer) => void = () => {};
  /** Called when waiting input has gone and more may come. */
  onInputDrained: (() => void) | undefined;

  constructor(columns: number, rows: number, uid: number, gid: number) {
    // A client may say 0×0; node-pty takes only more.
    const { master, slave, pty } = native.open(columns || 80, rows || 24);
    this.path = pty;
    // While somebody holds the slave open, the master does not report a hang-up.
    this.#heldSlave = slave;
    // Read into one buffer: a stream's own would be a new 64 KB for every 4 KB.
    const onread = { buffer: this.#buffer, callback: (length: number) => this.#gather(length) };
    this.#stream = new ReadStream(master, { onread } as ConstructorParameters<typeof ReadStream>[1]);
    try {
      this.#fd = duplicate(master);
      chownSync(this.path, uid, gid);
      chmodSync(this.path, 0o620);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Output as it comes, valid until the call returns; `onEnd` when the last process has closed the terminal. */
  read(onData: (bytes: Buffer) => void, onEnd: () => void): void {
    this.#onData = onData;
    this.#stream.on("error", () => {}); // EIO is how a terminal ends on Linux; "close" follows
    this.#stream.on("close", () => {
      this.#ended = true;
      this.#dropInput();
      onEnd();
    });
    this.#stream.resume();
  }

  /** The shell has ended: from now on the terminal ends when nobody has it open any more. */
  releaseSlave(): void {
    if (this.#heldSlave !== undefined) closeSync(this.#heldSlave);
    this.#heldSlave = undefined;
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** True while a password is being typed. */
  get echoOff(): boolean {
    return !this.#closed && isEchoOff(this.#fd);
  }

  /** Gives input to the terminal; false when the caller should wait for `onInputDrained`. */
  write(data: Buffer): boolean {
    if (this.#ended) return true;
    this.#pendingInput.push(data);
    this.#pendingLength += data.length;
    if (this.#pendingInput.length === 1) this.#flushInput();
    return this.#pendingLength < MAX_PENDING_INPUT;
  }

  resize(columns: number, rows: number): void {
    if (columns > 0 && rows > 0 && !this.#closed) setWindowSize(this.#fd, columns, rows);
  }

  /** Hangs up: the kernel sends SIGHUP to whoever is left on the terminal. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ended = true;
    this.releaseSlave();
    this.#stream.destroy();
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#dropInput();
  }

  /**
   * The kernel hands out a terminal's output in pieces of 4 KB at most. A full piece means that a program is printing
   * in bulk: take what else is there at once, so that recording and passing on are done for many pieces together.
   */
  #gather(first: number): boolean {
    let length = first;
    let piece = first;
    while (piece >= FULL_PIECE && length + PIECE <= GATHER) {
      piece = readAvailable(this.#fd, this.#buffer.subarray(length));
      length += piece;
    }
    this.#onData(this.#buffer.subarray(0, length));
    return true;
  }

  #flushInput(): void {
    for (
      let first = this.#pendingInput[0];
      first !== undefined && !this.#ended;
      first = this.#pendingInput[0]
    ) {
      let written: number;
      try {
        written = writeSync(this.#fd, first);
      } catch (error) {
        const full = (error as NodeJS.ErrnoException).code === "EAGAIN";
        if (full && !this.#shellHasGone()) setTimeout(() => this.#flushInput(), RETRY_MS);
        else this.#dropInput(); // nobody will read it; the terminal's end is reported by `read`
        return;
      }
      this.#pendingLength -= written;
      if (written === first.length) this.#pendingInput.shift();
      else this.#pendingInput[0] = first.subarray(written);
    }
    this.onInputDrained?.();
  }

  #shellHasGone(): boolean {
    const before = this.#hadShell;
    this.#hadShell ||= hasSession(this.#fd);
    return before && !hasSession(this.#fd);
  }

  #dropInput(): void {
    this.#pendingInput.length = 0;
    this.#pendingLength = 0;
    this.onInputDrained?.();
  }
}
