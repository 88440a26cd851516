import { auditEventsFrom } from "../../database/audit-events.ts";
import { claimStream, noteDelivered, releaseStream, streamPosition } from "../../database/audit-streams.ts";
import { treeSize } from "../../database/audit-tree.ts";
import type { Database } from "../../database/tables.ts";
import { type Environment, randomToken } from "../../environment.ts";
import { errorFields } from "../../log.ts";
import { JsonLinesSink } from "./json-lines-sink.ts";
import type { AuditStream } from "./stream-configuration.ts";
import { type Sink, streamedEvent } from "./streamed-event.ts";
import { SyslogSink } from "./syslog-sink.ts";
import { WebhookSink } from "./webhook-sink.ts";

const AT_ONCE = 500;
/** How often new events are looked for, in milliseconds. */
const EVERY = 1000;
const LONGEST_PAUSE = 5 * 60_000;
/** A replica that is gone keeps a stream for so long: longer than a batch may take. */
const CLAIM = 60_000;

interface Needs {
  db: Database;
  environment: Environment;
}

/**
 * Sends every event of the audit log on, in order and at least once, to each stream for itself: one that is away waits with
 * growing pauses and holds none up. Where it stopped is in the database, so nothing is left out over restarts, and of
 * several replicas one sends.
 */
export class AuditStreams {
  readonly #streams: readonly Stream[];

  constructor(needs: Needs, streams: readonly AuditStream[]) {
    const replica = randomToken(needs.environment.random, 12);
    this.#streams = streams.map((stream) => new Stream(needs, replica, stream.name, sinkOf(stream, needs)));
  }

  start(): void {
    for (const stream of this.#streams) stream.start();
  }

  /** Resolves when nothing is being sent any more. */
  async close(): Promise<void> {
    await Promise.all(this.#streams.map((stream) => stream.close()));
  }
}

function sinkOf(stream: AuditStream, { environment }: Needs): Sink {
  if (stream.type === "syslog") return new SyslogSink(stream);
  if (stream.type === "json-lines") return new JsonLinesSink(stream.file);
  return new WebhookSink(stream, environment.clock);
}

class Stream {
  readonly #needs: Needs;
  readonly #replica: string;
  readonly #name: string;
  readonly #sink: Sink;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();
  #failures = 0;
  #closed = false;

  constructor(needs: Needs, replica: string, name: string, sink: Sink) {
    this.#needs = needs;
    this.#replica = replica;
    this.#name = name;
    this.#sink = sink;
  }

  start(): void {
    this.#working = this.#turn();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#working;
    await this.#sink.close();
    await releaseStream(this.#needs.db, this.#name, this.#replica).catch(() => {});
  }

  async #turn(): Promise<void> {
    const { log } = this.#needs.environment;
    try {
      while (!this.#closed && (await this.#sendSome()));
      if (this.#failures > 0) log.info("audit stream goes on", { stream: this.#name });
      this.#failures = 0;
    } catch (error) {
      // Said when it begins, not with every attempt.
      if (this.#failures === 0)
        log.error("audit stream waits", { stream: this.#name, ...errorFields(error) });
      this.#failures += 1;
    }
    if (this.#closed) return;
    const pause = this.#failures === 0 ? EVERY : Math.min(EVERY * 2 ** (this.#failures - 1), LONGEST_PAUSE);
    this.#timer = setTimeout(() => this.start(), pause);
    this.#timer.unref();
  }

  /** Sends the next batch; true when there may be more. */
  async #sendSome(): Promise<boolean> {
    const { db, environment } = this.#needs;
    // Looking writes nothing; most of the time there is nothing to send.
    if ((await streamPosition(db, this.#name)) >= (await treeSize(db))) return false;
    const now = environment.clock();
    const claim = { by: this.#replica, now, until: now + CLAIM };
    const next = await claimStream(db, this.#name, claim);
    const rows = next === undefined ? [] : await auditEventsFrom(db, next, AT_ONCE);
    const last = rows.at(-1);
    if (last === undefined) return false;
    await this.#sink.send(rows.map(streamedEvent));
    return noteDelivered(db, this.#name, this.#replica, last.leaf_index + 1);
  }
}
