import type { Direction } from "../prepared-transfer.ts";
import type { FilterOutputs, StreamFilter } from "../stream-filter.ts";
import { logLines, type RsyncLogEntry, readLogLine } from "./rsync-log.ts";
import { TransferredFiles } from "./transferred-files.ts";

/** A line of rsync's log has two names at most, each escaped. */
const MAX_LINE = 64 * 1024;

/** What one rsync may do. */
export interface RsyncPlace {
  direction: Direction;
  /** What the names in its log are relative to. */
  base: string;
  /** The real directories that it is confined to. */
  directories: readonly string[];
  maxFileSize: number | null;
  /** What entries of its log begin with ({@link logFormat}). */
  mark: string;
}

/**
 * Lets rsync's own protocol pass as it is (it has no names that could be judged one by one: the kernel holds the paths),
 * and tells the files by the log that rsync writes to its standard error.
 */
export class RsyncFilter implements StreamFilter {
  readonly #outputs: FilterOutputs;
  readonly #files: TransferredFiles;
  readonly #mark: string;
  #line = "";
  #heard = false;

  constructor(outputs: FilterOutputs, place: RsyncPlace) {
    this.#outputs = outputs;
    this.#mark = place.mark;
    this.#files = new TransferredFiles(outputs, place);
  }

  fromClient(bytes: Buffer): void {
    this.#outputs.toServer(bytes);
  }

  fromServer(bytes: Buffer): void {
    this.#outputs.toClient(bytes);
  }

  fromServerError(bytes: Buffer): Buffer {
    const lines = (this.#line + bytes.toString("latin1")).split("\n");
    this.#line = lines.pop() ?? "";
    const shown = lines.flatMap((line) => logLines(line, this.#mark)).filter((line) => !this.#serve(line));
    if (this.#line.length > MAX_LINE) {
      // rsync's own lines are shorter: a file's could be hidden in what the contractor's rsync has it say.
      this.#line = "";
      this.#outputs.broken("rsync's log cannot be followed.");
    }
    return Buffer.from(shown.map((line) => `${line}\n`).join(""), "latin1");
  }

  end(): void {
    if (this.#line !== "") this.fromServerError(Buffer.from("\n"));
    if (!this.#heard) this.#files.unknown("rsync told nothing of what it did");
    this.#files.end();
  }

  settled(): Promise<void> {
    return this.#files.settled();
  }

  /** True for a line of the log. */
  #serve(text: string): boolean {
    const line = readLogLine(text, this.#mark);
    if (line === null) return false;
    this.#heard = true;
    if (line.kind === "entry") this.#entry(line.entry);
    else if (line.kind === "too-large") this.#files.tooLarge(line.path);
    else if (line.kind === "no-log") this.#outputs.broken("rsync cannot tell its files on this host.");
    return true;
  }

  #entry(entry: RsyncLogEntry): void {
    if (entry.operation === "send") this.#files.sent(entry);
    else if (entry.operation === "recv") this.#files.received(entry);
    else this.#files.removed(entry);
  }
}
