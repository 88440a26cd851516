import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { eventsByType } from "../database/audit-events.ts";
import { treeSize } from "../database/audit-tree.ts";
import { listIssuerStates } from "../database/issuer-states.ts";
import { countLiveSessions } from "../database/sessions.ts";
import type { Database } from "../database/tables.ts";
import type { Clock } from "../environment.ts";

/** What metrics are read from. */
export interface MetricsNeeds {
  db: Database;
  clock: Clock;
  /** Those that are connected to this replica. */
  hosts: { ids(): string[]; readonly behind: number };
}

/** How long something waits, or how much of it: read when somebody asks. */
export type QueueLengths = () => Promise<Record<string, number>> | Record<string, number>;

/**
 * The control plane's metrics, in a registry of their own. No label takes a value from outside: routes are those declared, types
 * of events those that we have. What others count in the database is read from there, so replicas all say the same of it.
 */
export class Metrics {
  readonly registry = new Registry();
  readonly #needs: MetricsNeeds;
  readonly #requests = new Histogram({
    name: "sallyport_http_request_duration_seconds",
    help: "Requests by route, method and status; paths that are no route count as `none`.",
    labelNames: ["route", "method", "status"],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [this.registry],
  });
  readonly #received = new Counter({
    name: "sallyport_recording_received_bytes_total",
    help: "Bytes of recordings that hosts sent to this replica.",
    registers: [this.registry],
  });
  readonly #acknowledged = new Histogram({
    name: "sallyport_revocation_acknowledged_seconds",
    help: "From storing a revocation to the word of a host of this replica that it is in force there.",
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 30],
    registers: [this.registry],
  });
  readonly #events = new Counter({
    name: "sallyport_audit_events_total",
    help: "Events of the audit log by type since this replica started, whichever replica wrote them.",
    labelNames: ["type"],
    registers: [this.registry],
  });
  readonly #queues: QueueLengths[] = [];
  /** Leaves of the audit log that are counted. */
  #counted: number | undefined;
  #counting: Promise<void> | undefined;

  constructor(needs: MetricsNeeds) {
    this.#needs = needs;
    const { db, clock, hosts } = needs;
    collectDefaultMetrics({ register: this.registry });
    this.#gauge("sallyport_hosts_connected", "Hosts with a link to this replica.", () => hosts.ids().length);
    this.#gauge(
      "sallyport_hosts_behind_revocations",
      "Hosts with a link to this replica that have not said that they have the whole revocation list.",
      () => hosts.behind,
    );
    this.#gauge("sallyport_sessions_live", "Sessions that are not over.", () => countLiveSessions(db));
    this.#gauge("sallyport_audit_log_entries", "Entries of the audit log.", () => treeSize(db));
    new Gauge({
      name: "sallyport_idp_silent_seconds",
      help: "For how long an IdP has not answered about people; 0 while it does.",
      labelNames: ["issuer"],
      registers: [this.registry],
      async collect() {
        this.reset();
        for (const { issuer, silent_since_ms: since } of await listIssuerStates(db))
          this.set({ issuer }, since === null ? 0 : Math.max(0, (clock() - since) / 1000));
      },
    });
    const queues = this.#queues;
    new Gauge({
      name: "sallyport_queue_length",
      help: "What waits to be stored or delivered, by queue.",
      labelNames: ["queue"],
      registers: [this.registry],
      async collect() {
        this.reset();
        for (const read of queues)
          for (const [queue, length] of Object.entries(await read())) this.set({ queue }, length);
      },
    });
  }

  /** Counts what is in the audit log now as known, so that only what comes later is counted. */
  async start(): Promise<void> {
    this.#counted = await treeSize(this.#needs.db);
    for (const type of ["certificate-issued", "certificate-refused", "revoked"])
      this.#events.inc({ type }, 0);
  }

  /** Has queue lengths shown; the names are ours or the configuration's, never a stranger's. */
  watchQueues(read: QueueLengths): void {
    this.#queues.push(read);
  }

  /** A request was answered, after `seconds`. */
  answered(labels: { route: string; method: string; status: number }, seconds: number): void {
    this.#requests.observe(
      { ...labels, method: METHODS.has(labels.method) ? labels.method : "other" },
      seconds,
    );
  }

  /** A host sent so many bytes of a recording. */
  received(bytes: number): void {
    this.#received.inc(bytes);
  }

  /** A host said so many seconds after a revocation was stored that it is in force there. */
  acknowledged(seconds: number): void {
    this.#acknowledged.observe(seconds);
  }

  /** Everything, in the text format that Prometheus reads. */
  async text(): Promise<string> {
    this.#counting ??= this.#countEvents().finally(() => {
      this.#counting = undefined;
    });
    await this.#counting;
    return this.registry.metrics();
  }

  async #countEvents(): Promise<void> {
    const { db } = this.#needs;
    const from = this.#counted ?? 0;
    const to = await treeSize(db);
    for (const { type, events } of await eventsByType(db, from, to)) this.#events.inc({ type }, events);
    this.#counted = to;
  }

  #gauge(name: string, help: string, read: () => Promise<number> | number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      async collect() {
        this.set(await read());
      },
    });
  }
}

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
