import type { ServerMessage } from "@sallyport/core/messages/host-link.ts";
import type { WebSocket } from "ws";

const PING_MS = 20_000;
const MAX_MISSED = 2;
/** Unsent bytes at which a host is taken for stuck. */
const MAX_UNSENT = 64 * 1024 * 1024;
/** Received and not yet stored bytes at which reading stops, and at which it goes on. */
const HIGH_WATER = 8 * 1024 * 1024;
const LOW_WATER = 2 * 1024 * 1024;

/** One WebSocket to a host: keeps it alive, and keeps both directions from piling up in memory. */
export class LinkSocket {
  readonly #socket: WebSocket;
  readonly #pings: NodeJS.Timeout;
  #missed = 0;
  #unfinished = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.#pings = setInterval(() => this.#ping(), PING_MS);
    socket.on("pong", () => {
      this.#missed = 0;
    });
    socket.on("close", () => clearInterval(this.#pings));
  }

  send(message: ServerMessage): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > MAX_UNSENT) this.#socket.terminate();
    else this.#socket.send(JSON.stringify(message));
  }

  /** Sends a text message that is made already; resolves when it has left this process, or never will. */
  async sendMade(message: Buffer): Promise<void> {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    // The bytes are not copied: all hosts that get them share them.
    await new Promise<void>((resolve) => this.#socket.send(message, { binary: false }, () => resolve()));
    // A host that takes a long list slowly cannot answer pings that wait behind it; that it takes it is answer enough.
    this.#missed = 0;
  }

  /** `reason` is cut to what a close frame holds. */
  close(code: number, reason: string): void {
    this.#socket.close(
      code,
      Buffer.from(reason)
        .subarray(0, 120)
        .toString("latin1")
        .replace(/[^ -~]/g, "?"),
    );
    // A peer that does not answer the close frame is cut off by the next missed pings; ws itself waits 30 s at most.
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** Counts bytes that are received and not yet dealt with, and stops reading while they are too many. */
  async whileHolding<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    this.#unfinished += bytes;
    if (this.#unfinished > HIGH_WATER) this.#socket.pause();
    try {
      return await work();
    } finally {
      this.#unfinished -= bytes;
      if (this.#unfinished < LOW_WATER && this.#socket.isPaused) this.#socket.resume();
    }
  }

  #ping(): void {
    // While reading is stopped, pongs cannot arrive: that is our doing, not the host's.
    if (this.#socket.isPaused) return;
    if (this.#missed++ >= MAX_MISSED) this.#socket.terminate();
    else if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
  }
}
