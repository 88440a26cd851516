import { connect, type Socket } from "node:net";
import { type FromRecorder, LineReader, parseMessage, ToRecorder } from "../recorders/control-messages.ts";

const RETRY_MS = 100;

/**
 * A recorder's connection to the agent. The agent may go away and come back at any time: sessions go on meanwhile, and
 * each new connection starts with a `hello` that tells it all.
 */
export class ControlLink {
  readonly #path: string;
  readonly #hello: () => FromRecorder;
  readonly #onMessage: (message: ToRecorder) => void;
  #socket: Socket | undefined;
  #closed = false;

  constructor(path: string, hello: () => FromRecorder, onMessage: (message: ToRecorder) => void) {
    this.#path = path;
    this.#hello = hello;
    this.#onMessage = onMessage;
  }

  start(): void {
    const socket = connect(this.#path);
    const reader = new LineReader();
    socket.setEncoding("utf8");
    socket.on("connect", () => {
      this.#socket = socket;
      this.send(this.#hello());
    });
    socket.on("data", (chunk) => {
      for (const line of reader.push(String(chunk))) {
        // An agent of another version may say what we do not know: the sessions here go on all the same.
        const message = parseMessage(ToRecorder, line);
        if (message !== null) this.#onMessage(message);
      }
    });
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => {
      this.#socket = undefined;
      if (!this.#closed) setTimeout(() => this.start(), RETRY_MS);
    });
  }

  /** Sends if the agent is there. What it misses while it is away, the next `hello` and the spool tell. */
  send(message: FromRecorder): void {
    this.#socket?.write(`${JSON.stringify(message)}\n`);
  }

  close(): void {
    this.#closed = true;
    this.#socket?.destroy();
  }
}
