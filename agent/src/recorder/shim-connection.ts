import type { Socket } from "node:net";
import { type ShimFrame, ShimFrameReader, shimFrame, shimFrameHead } from "../shim/shim-protocol.ts";

/** Bytes on their way to a shim above which the source is paused. */
const HIGH_WATER = 256 * 1024;

/** The connection of one shim, frame by frame. */
export class ShimConnection {
  readonly #socket: Socket;
  readonly #reader = new ShimFrameReader();
  /** Called when the shim can take more after `congested` was true. */
  onDrain: (() => void) | undefined;
  onFrames: ((frames: ShimFrame[]) => void) | undefined;
  onClosed: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("drain", () => this.onDrain?.());
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => this.onClosed?.());
  }

  get congested(): boolean {
    return this.#socket.writableLength > HIGH_WATER;
  }

  send(type: string, payload: Uint8Array): void {
    if (!this.#socket.writable) return;
    if (payload.length < 1024) {
      this.#socket.write(shimFrame(type, payload));
      return;
    }
    this.#socket.cork();
    this.#socket.write(shimFrameHead(type, payload.length));
    this.#socket.write(payload);
    this.#socket.uncork();
  }

  /** Asks the shim to leave, after everything sent before. */
  finish(signal: boolean, value: number): void {
    this.send("z", Uint8Array.of(signal ? 1 : 0, value));
    this.#socket.end();
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

  #receive(chunk: Buffer): void {
    const frames = this.#reader.push(chunk);
    if (frames === null) this.#socket.destroy();
    else if (frames.length > 0) this.onFrames?.(frames);
  }
}
