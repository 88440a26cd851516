import { createInterface, type Interface } from "node:readline";
import { Readable, Writable } from "node:stream";
import { MAX_LINE } from "@sallyport/core/commands/parse-line.ts";

/** What one call of `type` takes at most: each key may draw a whole line again. */
const SLICE = 128;
const HISTORY = 200;
const INTERRUPT = 0x03;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const ESCAPE = 0x1b;
const SPACE = 0x20;

/** What an editor asks of its session. */
export interface EditorEvents {
  /** Bytes for the contractor's terminal. */
  write(bytes: Buffer): void;
  /** A line was entered; null for one that was too long to keep. */
  line(line: string | null): void;
  /** Ctrl-D on an empty line. */
  closed(): void;
  /** What could stand instead of the last piece of a line, and that piece. */
  complete(line: string): { words: string[]; piece: string };
}

/** What Node's editor has and its types leave out. */
interface Insides {
  line: string;
  cursor: number;
  prevRows: number;
  clearLine(): void;
}

/** Node takes what is typed from a stream's `data`; given by hand, it is served before the call returns. */
class Keys extends Readable {
  override _read(): void {}
}

class Screen extends Writable {
  columns: number;
  rows: number;
  readonly #write: (bytes: Buffer) => void;

  constructor(write: (bytes: Buffer) => void, columns: number, rows: number) {
    super();
    this.#write = write;
    [this.columns, this.rows] = [columns || 80, rows || 24];
  }

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.#write(bytes);
    done();
  }
}

/** A line editor (Node's readline) over bytes: history in memory, completion, nothing of this process's own terminal. */
export class PromptEditor {
  readonly #keys = new Keys();
  readonly #screen: Screen;
  readonly #editor: Interface & Insides;
  readonly #events: EditorEvents;
  /** What is typed goes to nothing up to the end of the line. */
  #tooLong = false;
  #closed = false;

  constructor(prompt: string, window: { columns: number; rows: number }, events: EditorEvents) {
    this.#events = events;
    this.#screen = new Screen(events.write, window.columns, window.rows);
    this.#editor = createInterface({
      input: this.#keys,
      output: this.#screen,
      terminal: true,
      prompt,
      historySize: HISTORY,
      removeHistoryDuplicates: true,
      completer: (line: string) => {
        const { words, piece } = events.complete(line);
        return [words.length === 1 ? words.map((word) => `${word} `) : words, piece];
      },
    }) as Interface & Insides;
    this.#editor.on("line", (line) => events.line(line));
    this.#editor.on("SIGINT", () => this.#interrupt());
    // Without somebody who listens, Ctrl-Z would stop the recorder itself.
    this.#editor.on("SIGTSTP", () => {});
    this.#editor.on("close", () => {
      if (!this.#closed) events.closed();
    });
  }

  /** A new prompt, on a new line. */
  show(): void {
    this.#editor.prompt();
  }

  /** The prompt again with what was typed so far, below something else that was shown. */
  redraw(): void {
    this.#editor.prevRows = 0;
    this.#editor.prompt(true);
  }

  /** Takes what was typed, up to a key that is no character, or to a bound; returns what it has not taken. */
  type(bytes: Buffer): Buffer {
    const end = keyEnd(bytes);
    const length = Math.min(end ?? bytes.length, this.#tooLong ? bytes.length : SLICE);
    const piece = bytes.subarray(0, length);
    const last = length === end ? piece.at(-1) : undefined;
    if (!this.#tooLong && this.#editor.line.length + length > MAX_LINE + 2) this.#discard();
    if (!this.#tooLong) {
      this.#keys.emit("data", piece);
    } else if (last === INTERRUPT) {
      this.#tooLong = false;
      this.#interrupt();
    } else if (last === RETURN || last === LINE_FEED) {
      this.#tooLong = false;
      this.#editor.clearLine();
      this.#events.line(null);
    }
    return bytes.subarray(length);
  }

  /** The window has changed; `shown`: the line is on the screen, and is drawn anew. */
  resize(columns: number, rows: number, shown: boolean): void {
    [this.#screen.columns, this.#screen.rows] = [columns || 80, rows || 24];
    if (shown) this.#screen.emit("resize");
  }

  close(): void {
    this.#closed = true;
    this.#editor.close();
  }

  #discard(): void {
    this.#tooLong = true;
    [this.#editor.line, this.#editor.cursor] = ["", 0];
  }

  #interrupt(): void {
    this.#editor.write(null, { ctrl: true, name: "e" });
    this.#screen.write("^C");
    this.#editor.clearLine();
    this.#editor.prompt();
  }
}

/**
 * Behind the first key that is no character; null where there are only characters. Such a key is given alone: with Ctrl-Y each
 * adds what Ctrl-U took, up to a whole line, and a tab with more behind it is a pasted one for Node, which inserts it.
 */
function keyEnd(bytes: Buffer): number | null {
  // An escape sequence is not torn apart: what is late is no part of it any more.
  const at = bytes.findIndex((byte) => byte < SPACE && byte !== ESCAPE);
  if (at < 0) return null;
  return bytes[at] === RETURN && bytes[at + 1] === LINE_FEED ? at + 2 : at + 1;
}
