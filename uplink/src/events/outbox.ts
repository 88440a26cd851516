import {
  appendFileSync,
  closeSync,
  existsSync,
  fdatasyncSync,
  openSync,
  readFileSync,
  truncateSync,
} from "node:fs";
import { HostEvent } from "@sallyport/core/messages/host-link.ts";
import { writeFileDurably } from "../spool/durable.ts";

/** Events kept at most; beyond that the oldest go, and a counter says how many. */
const MAX_EVENTS = 100_000;

/** Acknowledged events that may stand in the file before it is rewritten without them. */
const REWRITE_AFTER = 1000;
const EMPTY_AFTER_MS = 2_000;

/**
 * Events that wait for the control plane's acknowledgement: one JSON line each, appended when they happen and rewritten
 * without the acknowledged ones from time to time. Delivery is at least once; the receiver knows duplicates by id.
 */
export class Outbox {
  readonly #path: string;
  readonly #events = new Map<string, HostEvent>();
  /** Lines in the file, of events that are kept or not. */
  #lines = 0;
  /** The file's last line has no end. */
  #torn = false;
  #acknowledged = 0;
  #emptying: NodeJS.Timeout | undefined;
  dropped = 0;
  /** Called when an event was added, so that a connected link sends it at once. */
  onAdded: ((event: HostEvent) => void) | undefined;

  constructor(path: string) {
    this.#path = path;
    if (!existsSync(path)) return;
    const bytes = readFileSync(path);
    for (const line of linesOf(bytes)) {
      this.#lines++;
      // A line cut off by a crash was never acknowledged to anybody; it is dropped.
      const event = parseLine(line);
      if (event !== undefined) this.#events.set(event.id, event);
    }
    this.#torn = bytes.length > 0 && bytes.at(-1) !== LINE_END;
    this.#dropOldest();
  }

  /** All events not acknowledged yet, oldest first. */
  pending(): HostEvent[] {
    return [...this.#events.values()];
  }

  /** Keeps an event until it is acknowledged. It survives this process at once, and power loss after a moment. */
  add(event: HostEvent): void {
    this.#events.set(event.id, event);
    try {
      // On a line of its own, also behind one that was cut off.
      appendFileSync(this.#path, `${this.#torn ? "\n" : ""}${JSON.stringify(event)}\n`, { mode: 0o600 });
      this.#torn = false;
      this.#lines++;
    } catch {
      this.#torn = true;
      this.dropped++; // the disk is full: the event is still sent while this process lives
    }
    this.#dropOldest();
    // With the control plane away for long, the file must not grow for ever either.
    if (this.#lines >= 2 * MAX_EVENTS) this.#rewrite();
    this.onAdded?.(event);
  }

  #dropOldest(): void {
    for (const id of this.#events.keys()) {
      if (this.#events.size <= MAX_EVENTS) break;
      this.#events.delete(id);
      this.dropped++;
    }
  }

  acknowledge(id: string): void {
    if (!this.#events.delete(id)) return;
    this.#acknowledged++;
    if (this.#acknowledged >= REWRITE_AFTER) this.#rewrite();
    else this.#emptySoon();
  }

  /** Not at once: acknowledgements come in the middle of logins. Losing this to a crash only sends events twice. */
  #emptySoon(): void {
    this.#emptying ??= setTimeout(() => {
      this.#emptying = undefined;
      if (this.#events.size === 0) this.#empty();
    }, EMPTY_AFTER_MS).unref();
  }

  /** Makes what was added survive power loss. */
  sync(): void {
    if (!existsSync(this.#path)) return;
    const fd = openSync(this.#path, "r");
    try {
      fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  #empty(): void {
    try {
      truncateSync(this.#path, 0);
      this.#startAfresh();
    } catch {
      // No file, or a sick disk: acknowledged events are sent twice, which is harmless.
    }
  }

  #rewrite(): void {
    this.#acknowledged = 0;
    const text = this.pending().map((event) => `${JSON.stringify(event)}\n`);
    try {
      writeFileDurably(this.#path, text.join(""));
      this.#startAfresh();
    } catch {
      // The disk is full: the old file stands, with all that is in the new one. Tried again after as many lines more.
      this.#lines = this.#events.size;
    }
  }

  #startAfresh(): void {
    this.#lines = this.#events.size;
    this.#torn = false;
  }
}

const LINE_END = 0x0a;

/** Not by `split`: a file of many long events is more than one string can hold. */
function* linesOf(bytes: Buffer): Generator<string> {
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(LINE_END, at);
    yield bytes.toString("utf8", at, end === -1 ? bytes.length : end);
    at = end === -1 ? bytes.length : end + 1;
  }
}

function parseLine(line: string): HostEvent | undefined {
  if (line === "") return undefined;
  try {
    return HostEvent.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
