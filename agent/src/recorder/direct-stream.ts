import { Socket } from "node:net";
import { enlargePipe, readAvailable, writeAvailable } from "../kernel/system-calls.ts";

/** What one read takes at most, and what a pipe is made to hold: less means a switch between processes for every few KB. */
const READ_SIZE = 256 * 1024;
const BULK = 16 * 1024;
const PIPE_SIZE = 1024 * 1024;

/*
 * Every stream is read into the same memory, as what came is served before the next read (see intake.ts).
 */
const incoming = Buffer.allocUnsafeSlow(READ_SIZE);

/** One end of a pipe or socket that is read. */
export class DirectSource {
  readonly #socket: Socket;
  #ended = false;

  /** Takes the descriptor over. Bytes are valid until the call returns; `onEnd` comes once, also after an error. */
  constructor(fd: number, onBytes: (bytes: Buffer) => void, onEnd: () => void) {
    enlargePipe(fd, PIPE_SIZE);
    this.#socket = new Socket({
      fd,
      readable: true,
      writable: false,
      onread: {
        buffer: incoming,
        callback: (length: number) => {
          onBytes(incoming.subarray(0, gather(fd, length)));
          return true;
        },
      },
    });
    const end = () => {
      if (this.#ended) return;
      // First: who is told looks whether it is so.
      this.#ended = true;
      onEnd();
    };
    this.#socket.on("error", () => {}); // "close" follows
    this.#socket.on("end", end);
    this.#socket.on("close", end);
  }

  get ended(): boolean {
    return this.#ended;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#ended) this.#socket.resume();
  }

  destroy(): void {
    this.#ended = true;
    this.#socket.destroy();
  }
}

/** What came in bulk comes on: takes at once what else is there, so that all is done for more bytes together. */
function gather(fd: number, first: number): number {
  let length = first;
  for (let piece = first; piece >= BULK && length + BULK <= READ_SIZE; length += piece)
    piece = readAvailable(fd, incoming.subarray(length));
  return length;
}

/** One end of a pipe or socket that is written to. */
export class DirectSink {
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #onDrain: () => void;
  #closing = false;

  /**
   * Takes the descriptor over. `onDrain` is called when all of what waited has gone, `onClosed` when nobody reads any
   * more, or after `close`.
   */
  constructor(fd: number, onDrain: () => void, onClosed: () => void) {
    enlargePipe(fd, PIPE_SIZE);
    this.#fd = fd;
    this.#onDrain = onDrain;
    // With a mark of one byte "drain" follows whatever had to wait, not only what was more than some KB.
    this.#socket = new Socket({ fd, readable: false, writable: true, ...{ writableHighWaterMark: 1 } });
    this.#socket.on("error", () => {}); // "close" follows
    this.#socket.on("close", onClosed);
  }

  /** Something waits: whoever fills it should stop until `onDrain`. */
  get congested(): boolean {
    return this.#socket.writableLength > 0;
  }

  /** What is not taken at once is copied. */
  write(bytes: Uint8Array): void {
    if (this.#closing || this.#socket.destroyed) return;
    const taken = this.congested ? 0 : writeAvailable(this.#fd, bytes);
    if (taken < bytes.length)
      this.#socket.write(Buffer.from(bytes.subarray(taken)), (error) => this.#written(error));
  }

  /** The socket's own "drain" comes only after more than it calls much. */
  #written(error: Error | null | undefined): void {
    if (error || this.congested) return;
    if (this.#closing) this.#socket.destroy();
    else this.#onDrain();
  }

  /** Closes it behind what waits. */
  close(): void {
    this.#closing = true;
    if (!this.congested) this.#socket.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
