import { type FileHandle, open } from "node:fs/promises";
import type { Sink, StreamedEvent } from "./streamed-event.ts";

/** Appends events to a file, one JSON object a line; they are on the disk when `send` resolves. */
export class JsonLinesSink implements Sink {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  async send(events: readonly StreamedEvent[]): Promise<void> {
    // Opened each time: whoever renames the file gets no more lines into the old one.
    const handle = await open(this.#file, "a+", 0o600);
    try {
      const lines = events.map((event) => `${JSON.stringify(event)}\n`).join("");
      await handle.appendFile(`${(await endsInLine(handle)) ? "" : "\n"}${lines}`);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async close(): Promise<void> {}
}

/** False after a crash in the middle of a line: what comes next begins on one of its own. */
async function endsInLine(handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat();
  if (size === 0) return true;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] === 0x0a;
}
