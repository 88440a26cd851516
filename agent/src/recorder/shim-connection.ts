import type { Socket } from "node:net";
import { type ShimFrame, shimFrame, writeShimFrameHead } from "../shim/shim-protocol.ts";
import { frameSocket } from "./intake.ts";

/** Bytes on their way to a shim above which the source is paused. */
const HIGH_WATER = 256 * 1024;
/** Buffers for bulk data: how large, and how many are kept for the next time. */
const COPY_SIZE = 64 * 1024;
const MAX_SPARE = 8;
const FRAME_HEAD = 5;
/** What one frame of bulk data takes. */
export const MAX_COPY: number = COPY_SIZE - FRAME_HEAD;

/** The connection of one shim, frame by frame. */
export class ShimConnection {
  readonly #socket: Socket;
  readonly #spare: Buffer[] = [];
  /** Called when the shim can take more after `congested` was true. */
  onDrain: (() => void) | undefined;
  onFrames: ((frames: ShimFrame[]) => void) | undefined;
  onClosed: (() => void) | undefined;

  /** `accepted` comes paused from a server. */
  constructor(accepted: Socket) {
    const socket = frameSocket(accepted, (frames) => this.#receive(frames));
    this.#socket = socket;
    socket.on("drain", () => this.onDrain?.());
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => this.onClosed?.());
  }

  get congested(): boolean {
    return this.#socket.writableLength > HIGH_WATER;
  }

  send(type: string, payload: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(shimFrame(type, payload));
  }

  /** Like {@link send} for bulk data: it is copied into a buffer that is used again when the socket has taken it. */
  sendCopy(type: string, payload: Uint8Array): void {
    if (!this.#socket.writable) return;
    const buffer = this.#spare.pop() ?? Buffer.allocUnsafeSlow(COPY_SIZE);
    if (payload.length > MAX_COPY) throw new TypeError("too much for one frame");
    writeShimFrameHead(buffer, type, payload.length);
    buffer.set(payload, FRAME_HEAD);
    this.#socket.write(buffer.subarray(0, FRAME_HEAD + payload.length), () => {
      if (this.#spare.length < MAX_SPARE) this.#spare.push(buffer);
    });
  }

  /** Asks the shim to leave, after everything sent before. */
  finish(signal: boolean, value: number): void {
    this.send("z", Uint8Array.of(signal ? 1 : 0, value));
    this.#socket.end();
    // What still comes concerns nobody, but its end must be seen: else the connection would stay for ever.
    this.#socket.resume();
  }

  /** Bytes that are already encoded frames. */
  sendEncoded(frames: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(frames);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(frames: ShimFrame[] | null): void {
    if (frames === null) this.#socket.destroy();
    else this.onFrames?.(frames);
  }
}
