import { chmodSync, chownSync, closeSync, constants, openSync, writeSync } from "node:fs";
import { ReadStream } from "node:tty";
import * as nodePty from "node-pty";
import { duplicate, isEchoOff, readAvailable, setWindowSize } from "../kernel/system-calls.ts";

/** Input that may wait for the terminal to take it before the contractor's side is paused. */
const MAX_PENDING_INPUT = 64 * 1024;
const RETRY_MS = 2;
/** What one read of a terminal gives at most, what counts as full, and how much is gathered before it is passed on. */
const PIECE = 4096;
const FULL_PIECE = 4000;
const GATHER = 32 * 1024;

// node-pty exports `open` without declaring it: a terminal with no child.
const { open } = nodePty as unknown as {
  open(options: { cols: number; rows: number; encoding: null }): {
    readonly master: ReadStream;
    readonly slave: ReadStream;
    readonly fd: number;
    readonly ptsName: string;
  };
};

/**
 * The terminal that a session's shell runs on. The master stays in this process, which runs under another uid than the
 * shell: nothing of the user's can reach it. The slave is handed to the user, to be opened by path.
 */
export class Terminal {
  readonly path: string;
  readonly #fd: number;
  readonly #stream: ReadStream;
  readonly #buffer = Buffer.allocUnsafeSlow(GATHER);
  #heldSlave: number | undefined;
  readonly #pendingInput: Buffer[] = [];
  #pendingLength = 0;
  #closed = false;
  #onData: (bytes: Buffer) => void = () => {};
  /** Called when waiting input has gone and more may come. */
  onInputDrained: (() => void) | undefined;

  constructor(columns: number, rows: number, uid: number, gid: number) {
    // A client may say 0×0; node-pty takes only more.
    const pty = open({ cols: columns || 80, rows: rows || 24, encoding: null });
    this.path = pty.ptsName;
    // Somebody must hold the slave open until the shell does, or the master reports a hang-up.
    this.#heldSlave = openSync(this.path, constants.O_RDWR | constants.O_NOCTTY);
    // node-pty reads both ends at once: the slave, which swallows what the user types, and the master with a new 64 KB
    // buffer for every 4 KB. So its streams go, and the master is read here, into one buffer.
    this.#fd = duplicate(pty.fd);
    pty.slave.destroy();
    pty.master.destroy();
    const onread = { buffer: this.#buffer, callback: (length: number) => this.#gather(length) };
    this.#stream = new ReadStream(this.#fd, { onread } as ConstructorParameters<typeof ReadStream>[1]);
    chownSync(this.path, uid, gid);
    chmodSync(this.path, 0o620);
  }

  /** Output as it comes, valid until the call returns; `onEnd` when the last process has closed the terminal. */
  read(onData: (bytes: Buffer) => void, onEnd: () => void): void {
    this.#onData = onData;
    this.#stream.on("error", () => {}); // EIO is how a terminal ends on Linux; "close" follows
    this.#stream.on("close", onEnd);
    this.#stream.resume();
  }

  /** The shell has opened the terminal: from now on it ends when the shell's side closes it. */
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
    this.releaseSlave();
    this.#stream.destroy();
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
      first !== undefined && !this.#closed;
      first = this.#pendingInput[0]
    ) {
      let written: number;
      try {
        written = writeSync(this.#fd, first);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EAGAIN")
          setTimeout(() => this.#flushInput(), RETRY_MS);
        else this.#pendingInput.length = 0; // the shell is gone; the terminal's end is reported by `read`
        return;
      }
      this.#pendingLength -= written;
      if (written === first.length) this.#pendingInput.shift();
      else this.#pendingInput[0] = first.subarray(written);
    }
    this.onInputDrained?.();
  }
}
