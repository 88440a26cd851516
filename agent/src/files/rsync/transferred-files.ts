import { stat } from "node:fs/promises";
import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import type { FilterOutputs } from "../stream-filter.ts";
import { digestOf } from "./file-digest.ts";
import type { RsyncPlace } from "./rsync-filter.ts";
import type { RsyncLogEntry } from "./rsync-log.ts";

type FileEvent = Extract<SessionEvent, { type: "file" }>;

/** Files that may wait to be read; what comes beyond is told without a digest. */
const MAX_WAITING = 100_000;
/** How long the end of a session waits for digests: this, and the time to read what is left at so many bytes a second. */
const PATIENCE_MS = 5_000;
const READING_RATE = 100e6;
/** rsync's log has 2 KB for an entry. */
const CUT = "its name is too long for rsync's log: this is the beginning";
/** A directory that is there already and got its times: of no interest. */
const ONLY_TIMES = /^\.d[.t]+$/;

/** Makes events of what rsync logs, each file with the digest of what is on the disk right after it. */
export class TransferredFiles {
  readonly #outputs: FilterOutputs;
  readonly #place: RsyncPlace;
  readonly #abort = new AbortController();
  /** A received file gets its name after it is logged, and has it when the same process logs the next. */
  #unnamed: RsyncLogEntry | null = null;
  #work: Promise<void> = Promise.resolve();
  #waiting = 0;
  #waitingBytes = 0;

  constructor(outputs: FilterOutputs, place: RsyncPlace) {
    this.#outputs = outputs;
    this.#place = place;
  }

  sent(entry: RsyncLogEntry): void {
    if (entry.change[1] === "f") this.#read(entry, "read");
    else this.#tell(entry, entry.directory ? "list" : "read");
  }

  received(entry: RsyncLogEntry): void {
    if (entry.change.startsWith(">f") || entry.change.startsWith("cf")) {
      this.#named();
      this.#unnamed = entry;
    } else if (entry.change[0] === "h") this.#tell(entry, "link");
    else if (entry.change[1] === "L" && entry.change[0] === "c") this.#tell(entry, "symlink");
    else if (entry.change[1] === "d" && entry.change[0] === "c") this.#tell(entry, "make-directory");
    else if (!ONLY_TIMES.test(entry.change)) this.#tell(entry, "set-attributes");
  }

  removed(entry: RsyncLogEntry): void {
    this.#tell(entry, entry.directory ? "remove-directory" : "remove");
  }

  tooLarge(name: Buffer): void {
    const detail = `at most ${this.#place.maxFileSize} bytes may be put there`;
    this.#event("write", this.#path(name), { result: "refused", detail });
  }

  /** Something was done that nobody knows. */
  unknown(detail: string): void {
    const operation = this.#place.direction === "read" ? "read" : "write";
    this.#event(operation, Buffer.from(this.#place.base), { result: "failed", detail });
  }

  /** rsync is over: every file has its name. */
  end(): void {
    this.#named();
  }

  async settled(): Promise<void> {
    const timer = setTimeout(
      () => this.#abort.abort(),
      PATIENCE_MS + (this.#waitingBytes / READING_RATE) * 1000,
    );
    await this.#work;
    clearTimeout(timer);
  }

  #named(): void {
    const entry = this.#unnamed;
    this.#unnamed = null;
    if (entry !== null) this.#read(entry, "write");
  }

  #read(entry: RsyncLogEntry, operation: "read" | "write"): void {
    if (entry.cut) {
      this.#tell(entry, operation);
      return;
    }
    if (this.#waiting >= MAX_WAITING) {
      this.#tell(entry, operation, "so many files at once are not read again");
      return;
    }
    this.#waiting += 1;
    this.#waitingBytes += entry.size;
    this.#work = this.#work.then(() => this.#digest(entry, operation));
  }

  async #digest(entry: RsyncLogEntry, operation: "read" | "write"): Promise<void> {
    const { base, directories } = this.#place;
    // A single file may have been given another name: then the destination is that file.
    const named =
      operation === "write" && !(await isDirectory(base)) ? Buffer.from(base) : this.#path(entry.path);
    const found = this.#abort.signal.aborted ? null : await digestOf(named, directories, this.#abort.signal);
    this.#waiting -= 1;
    this.#waitingBytes -= entry.size;
    const same = found !== null && found.bytes === entry.size;
    this.#event(operation, named, {
      bytes: entry.size,
      sha256: same ? found.sha256 : null,
      detail: same ? "" : "it was gone or had changed before it could be read again",
    });
  }

  #tell(entry: RsyncLogEntry, operation: FileEvent["operation"], detail = entry.cut ? CUT : ""): void {
    this.#event(operation, this.#path(entry.path), { target: entry.target, detail });
  }

  #event(operation: FileEvent["operation"], path: Buffer, more: Partial<FileEvent>): void {
    this.#outputs.event({
      type: "file",
      protocol: "rsync",
      operation,
      target: null,
      bytes: null,
      sha256: null,
      result: "ok",
      detail: "",
      ...more,
      path: path.toString("utf8").replace(/\/\.$/, "").slice(0, 4096),
    });
  }

  #path(name: Buffer): Buffer {
    const { base } = this.#place;
    if (name.equals(Buffer.from("."))) return Buffer.from(base);
    return Buffer.concat([Buffer.from(base === "/" ? "/" : `${base}/`), name]);
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() ?? false;
}
