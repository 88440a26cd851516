import { chmodSync, chownSync, closeSync, constants, openSync, writeSync } from "node:fs";
import type { ReadStream } from "node:tty";
import * as nodePty from "node-pty";
import { isEchoOff } from "../kernel/system-calls.ts";

/** Input that may wait for the terminal to take it before the contractor's side is paused. */
const MAX_PENDING_INPUT = 64 * 1024;
const RETRY_MS = 2;

// node-pty exports `open` without declaring it: a terminal with no child.
const { open } = nodePty as unknown as {
  open(options: { cols: number; rows: number; encoding: null }): OpenedTerminal;
};

interface OpenedTerminal {
  readonly master: ReadStream;
  readonly slave: ReadStream;
  readonly fd: number;
  readonly ptsName: string;
  resize(columns: number, rows: number): void;
}

/**
 * The terminal that a session's shell runs on. The master stays in this process, which runs under another uid than the
 * shell: nothing of the user's can reach it. The slave is handed to the user, to be opened by path.
 */
export class Terminal {
  readonly path: string;
  readonly #pty: OpenedTerminal;
  #heldSlave: number | undefined;
  readonly #pendingInput: Buffer[] = [];
  #pendingLength = 0;
  #closed = false;
  /** Called when waiting input has gone and more may come. */
  onInputDrained: (() => void) | undefined;

  constructor(columns: number, rows: number, uid: number, gid: number) {
    // A client may say 0×0; the kernel takes it, node-pty does not.
    this.#pty = open({ cols: columns || 80, rows: rows || 24, encoding: null });
    this.path = this.#pty.ptsName;
    // node-pty starts to read the slave as well and would swallow what the user types. Somebody must hold the slave
    // open until the shell does, or the master reports a hang-up.
    this.#heldSlave = openSync(this.path, constants.O_RDWR | constants.O_NOCTTY);
    this.#pty.slave.destroy();
    chownSync(this.path, uid, gid);
    chmodSync(this.path, 0o620);
  }

  /** Output as it comes; `onEnd` when the last process has closed the terminal. */
  read(onData: (chunk: Buffer) => void, onEnd: () => void): void {
    this.#pty.master.on("data", onData);
    this.#pty.master.on("error", () => {}); // EIO is how a terminal ends on Linux; "close" follows
    this.#pty.master.on("close", onEnd);
  }

  /** The shell has opened the terminal: from now on it ends when the shell's side closes it. */
  releaseSlave(): void {
    if (this.#heldSlave !== undefined) closeSync(this.#heldSlave);
    this.#heldSlave = undefined;
  }

  pause(): void {
    this.#pty.master.pause();
  }

  resume(): void {
    this.#pty.master.resume();
  }

  /** True while a password is being typed. */
  get echoOff(): boolean {
    return !this.#closed && isEchoOff(this.#pty.fd);
  }

  /** Gives input to the terminal; false when the caller should wait for `onInputDrained`. */
  write(data: Buffer): boolean {
    this.#pendingInput.push(data);
    this.#pendingLength += data.length;
    if (this.#pendingInput.length === 1) this.#flushInput();
    return this.#pendingLength < MAX_PENDING_INPUT;
  }

  resize(columns: number, rows: number): void {
    if (columns > 0 && rows > 0 && !this.#closed) this.#pty.resize(columns, rows);
  }

  /** Hangs up: the kernel sends SIGHUP to whoever is left on the terminal. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.releaseSlave();
    this.#pty.master.destroy();
  }

  #flushInput(): void {
    for (
      let first = this.#pendingInput[0];
      first !== undefined && !this.#closed;
      first = this.#pendingInput[0]
    ) {
      let written: number;
      try {
        written = writeSync(this.#pty.fd, first);
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
