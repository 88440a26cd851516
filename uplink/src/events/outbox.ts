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
  #acknowledged = 0;
  #emptying: NodeJS.Timeout | undefined;
  dropped = 0;
  /** Called when an event was added, so that a connected link sends it at once. */
  onAdded: ((event: HostEvent) => void) | undefined;

  constructor(path: string) {
    this.#path = path;
    if (!existsSync(path)) return;
    for (const line of readFileSync(path, "utf8").split("\n")) {
      // A line cut off by a crash was never acknowledged to anybody; it is dropped.
      const event = parseLine(line);
      if (event !== undefined) this.#events.set(event.id, event);
    }
  }

  /** All events not acknowledged yet, oldest first. */
  pending(): HostEvent[] {
    return [...this.#events.values()];
  }

  /** Keeps an event until it is acknowledged. It survives this process at once, and power loss after a moment. */
  add(event: HostEvent): void {
    this.#events.set(event.id, event);
    try {
      appendFileSync(this.#path, `${JSON.stringify(event)}\n`, { mode: 0o600 });
    } catch {
      this.dropped++; // the disk is full: the event is still sent while this process lives
    }
    for (const id of this.#events.keys()) {
      if (this.#events.size <= MAX_EVENTS) break;
      this.#events.delete(id);
      this.dropped++;
    }
    this.onAdded?.(event);
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
      if (this.#events.size === 0 && existsSync(this.#path)) truncateSync(this.#path, 0);
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

  #rewrite(): void {
    this.#acknowledged = 0;
    const text = this.pending().map((event) => `${JSON.stringify(event)}\n`);
    writeFileDurably(this.#path, text.join(""));
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
