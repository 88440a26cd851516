import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { FromRecorder } from "../recorders/control-messages.ts";

/** A look at the event loop each second: prom-client's own default of a hundred would wake a host at rest. */
const LOOP_LOOK_MS = 1_000;
/** Seconds; sshd waits for a decision, and most take about a millisecond. */
const DECISION_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2];

/** What is counted elsewhere and read when somebody asks for metrics. */
export interface MeasuredNow {
  sessionsLive: number;
  spoolBytes: number;
  spoolFreeBytes: number;
  recordingsWaiting: number;
  recordingsSetAside: number;
  uplinkConnected: boolean;
  /** Negative when the lease has run out; null without a policy. */
  leaseSeconds: number | null;
  policyVersion: number | null;
  revocationSequence: number;
  revocationEntries: number;
  revocationsBehind: number;
  /** A lease is here and does not count, because the list is not the one it names. */
  leaseAside: boolean;
  recorders: number;
  eventsWaiting: number;
  eventsDropped: number;
}

/** What this agent counts, as Prometheus metrics; all names begin with `sallyport_`, those of the process as usual. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #logins = this.#counter("logins_total", "Decisions on logins; sshd asks up to twice for each.", [
    "outcome",
    "code",
  ]);
  readonly #started = this.#counter("sessions_started_total", "Sessions that began.");
  readonly #ended = this.#counter(
    "sessions_ended_total",
    "Sessions that ended, by the reason in their recording.",
    ["reason"],
  );
  readonly #commands = this.#counter(
    "commands_total",
    "Commands of engagements in mode commands, and whether they were started or refused.",
    ["outcome"],
  );
  readonly #files = this.#counter(
    "files_total",
    "Operations on files in sessions that move them, by protocol and result.",
    ["protocol", "result"],
  );
  readonly #blocks = this.#counter(
    "blocks_uploaded_total",
    "Blocks of recordings sent to the control plane, those sent again included.",
  );
  readonly #kills = this.#counter(
    "watchdog_kills_total",
    "Processes that the watchdog ended because they belonged to a login and to no recorded session.",
  );
  readonly #decisions = new Histogram({
    name: "sallyport_decision_seconds",
    help: "Time to decide on a login.",
    buckets: DECISION_BUCKETS,
    registers: [this.#registry],
  });

  constructor(measure: () => MeasuredNow) {
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: LOOP_LOOK_MS });
    // One look for all gauges: the registry asks them one after the other within a scrape.
    const gauges = GAUGES.map(([key, name, help]) => {
      return [key, new Gauge({ name: `sallyport_${name}`, help, registers: [this.#registry] })] as const;
    });
    const [first] = gauges;
    const setAll = (): void => {
      const now = measure();
      for (const [key, gauge] of gauges) gauge.set(Number(now[key] ?? Number.NaN));
    };
    if (first !== undefined) Object.assign(first[1], { collect: setAll });
  }

  /** A decision on a login; `code` is the refusal's, or null. */
  login(outcome: "admit" | "refuse", code: string | null): void {
    this.#logins.inc({ outcome, code: code ?? "" });
  }

  /** How long a decision took, in seconds. */
  decided(seconds: number): void {
    this.#decisions.observe(seconds);
  }

  /** What a recorder tells of its sessions. */
  noteRecorder(message: Exclude<FromRecorder, { type: "hello" }>): void {
    if (message.type === "started") this.#started.inc();
    else if (message.type === "ended") this.sessionEnded(message.end.reason);
    else if (message.type === "event") this.#sessionEvent(message.event);
    else if (message.type === "failed") this.sessionEnded("spool-failed");
  }

  #sessionEvent(event: SessionEvent): void {
    if (event.type === "command-started") this.#commands.inc({ outcome: "started" });
    else if (event.type === "command-refused") this.#commands.inc({ outcome: "refused" });
    else if (event.type === "file") this.#files.inc({ protocol: event.protocol, result: event.result });
  }

  /** A session has ended; `reason` as in its recording. */
  sessionEnded(reason: string): void {
    this.#ended.inc({ reason });
  }

  /** A block was handed to the link. */
  blockUploaded(): void {
    this.#blocks.inc();
  }

  /** The watchdog has ended so many processes. */
  watchdogKill(processes = 1): void {
    this.#kills.inc(processes);
  }

  readonly contentType: string = this.#registry.contentType;

  /** The exposition format of Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name: `sallyport_${name}`, help, labelNames, registers: [this.#registry] });
  }
}

const GAUGES: readonly (readonly [keyof MeasuredNow, string, string])[] = [
  ["sessionsLive", "sessions_live", "Sessions that are open."],
  ["spoolBytes", "spool_bytes", "Bytes of recordings that wait for upload."],
  ["spoolFreeBytes", "spool_free_bytes", "Bytes free on the spool's file system."],
  ["recordingsWaiting", "spool_recordings", "Recordings that wait for upload, live ones too."],
  ["recordingsSetAside", "spool_rejected", "Recordings that were set aside."],
  ["uplinkConnected", "uplink_connected", "1 while the control plane is connected."],
  [
    "leaseSeconds",
    "lease_seconds",
    "Seconds until the lease runs out; negative since it has; NaN without a policy.",
  ],
  ["policyVersion", "policy_version", "Version of the policy in force; NaN without one."],
  ["revocationSequence", "revocation_sequence", "Number of the newest revocation in force."],
  ["revocationEntries", "revocation_entries", "Targets that stand in the revocation list."],
  ["revocationsBehind", "revocations_behind", "Revocations that are missing here, as far as is known."],
  ["leaseAside", "lease_aside", "1 while a lease does not count because its revocation list has not come."],
  ["recorders", "recorders", "Recorders that are connected and take sessions."],
  ["eventsWaiting", "events_waiting", "Events that wait for the control plane."],
  ["eventsDropped", "events_dropped", "Events lost since the agent's start because too many waited."],
];
