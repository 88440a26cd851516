import { connect, type Socket } from "node:net";
import { ShimFrameReader, shimFrame } from "@sallyport/agent/shim/shim-protocol.ts";

export interface ReceivedFrame {
  type: string;
  data: Buffer;
}

/** A shim that says what a test has it say. */
export class ScriptedShim {
  readonly socket: Socket;
  /** Resolves when the recorder has closed the connection, or we have. */
  readonly closed: Promise<void>;
  readonly #reader = new ShimFrameReader();
  readonly #frames: ReceivedFrame[] = [];
  #wake: () => void = () => {};
  #over = false;

  constructor(path: string) {
    this.socket = connect(path);
    this.socket.on("error", () => {});
    this.socket.on("data", (chunk) => {
      for (const { type, data } of this.#reader.push(chunk) ?? [])
        this.#frames.push({ type, data: Buffer.from(data) });
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      this.socket.on("close", () => {
        this.#over = true;
        this.#wake();
        resolve();
      });
    });
  }

  hello(ticket: string, term = "xterm"): void {
    this.send("h", Buffer.from(ticket, "hex"), Buffer.from("0018005000000000", "hex"), Buffer.from(term));
  }

  send(type: string, ...parts: Uint8Array[]): void {
    this.socket.write(shimFrame(type, ...parts));
  }

  /** The next frame; null when the recorder has closed the connection. */
  async next(): Promise<ReceivedFrame | null> {
    while (this.#frames.length === 0 && !this.#over) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#frames.shift() ?? null;
  }

  /** The next frame of a type, with those before it thrown away; null when none comes any more. */
  async nextOf(type: string): Promise<Buffer | null> {
    for (;;) {
      const frame = await this.next();
      if (frame === null) return null;
      if (frame.type === type) return frame.data;
    }
  }

  /** All frames from now to the end of the connection. */
  async rest(): Promise<ReceivedFrame[]> {
    const frames: ReceivedFrame[] = [];
    for (let frame = await this.next(); frame !== null; frame = await this.next()) frames.push(frame);
    return frames;
  }
}

/** A field of an `x` frame. */
export function startField(start: Buffer, kind: string): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < start.length; ) {
    const length = start.readUInt32BE(at + 1);
    if (start.toString("latin1", at, at + 1) === kind) found.push(start.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return found;
}
