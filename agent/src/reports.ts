import type { SessionId } from "@sallyport/core/names.ts";
import type { Outbox } from "@sallyport/uplink/events/outbox.ts";
import type { Logger } from "winston";
import { loginEvent, loginIncident, sessionEndedEvent, troubleEvent } from "./events.ts";
import type { AdmissionTrail } from "./logins/admission-trail.ts";
import type { Answer } from "./logins/decide.ts";
import type { Login } from "./logins/login.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { LiveSession } from "./recorders/control-messages.ts";
import type { ForwardedConnection } from "./sessions/forward-watch.ts";

/** Where a report goes: the host's own log, the control plane by way of the outbox, and the metrics. */
export interface Channels {
  log: Logger;
  outbox: Outbox;
  metrics: Metrics;
}

/** What the agent tells of logins, sessions and recordings: one method for each thing that happens. */
export class Reports {
  readonly #channels: Channels;

  constructor(channels: Channels) {
    this.#channels = channels;
  }

  /** A decision that says something new. Whether an admitted contractor came in, the trail finds out. */
  loginDecided(login: Login, answer: Answer, trail: AdmissionTrail): void {
    const event = loginEvent(login, answer);
    this.#channels.log.info("login", {
      outcome: answer.outcome,
      account: event.account,
      code: event.code,
      detail: event.detail,
      memberId: event.memberId,
      source: event.sourceAddress,
      serial: event.certificateSerial,
      monitor: login.monitor.pid,
    });
    this.#channels.metrics.login(answer.outcome, event.code);
    trail.decided(login, event);
  }

  sessionRefused(login: Login | null, code: string, detail: string): void {
    // Without a login it may be anybody on this host, any number of times: a warning that repeats is only counted.
    const level = login === null ? "warn" : "info";
    this.#channels.log.log(level, "session refused", { account: login?.account, code, detail });
  }

  sessionEndedByPolicy(live: LiveSession, code: string, detail: string, told: string): void {
    this.#channels.log.info("session ended by policy", { session: live.session, code, detail });
    this.#channels.outbox.add(sessionEndedEvent(live, code, detail, told));
  }

  processesKilled(
    login: Login,
    kind: "watchdog-killed" | "left-behind-ended",
    processes: readonly string[],
  ): void {
    this.#channels.log.warn("processes were ended", { kind, account: login.account, processes });
    if (kind === "watchdog-killed") this.#channels.metrics.watchdogKill(processes.length);
    this.#channels.outbox.add(loginIncident(kind, login, processes.join("; ")));
  }

  forwarded(login: Login, what: "forward-opened" | "forward-closed", forward: ForwardedConnection): void {
    const { kind, local, peer } = forward;
    this.#channels.log.info(what, { account: login.account, kind, local, peer });
    const detail = kind === "listening" ? `listening at ${local}` : `${local} to ${peer}`;
    this.#channels.outbox.add(loginIncident(what, login, detail));
  }

  recordingRecovered(recording: SessionId, recovered: { sealed: number; discarded: number }): void {
    this.#channels.log.warn("a recording was closed after its recorder was lost", {
      recording,
      ...recovered,
    });
    const detail = JSON.stringify(recovered);
    this.#channels.outbox.add(troubleEvent("recording-recovered", recording, "recorder-lost", detail));
  }

  recordingDelayed(recording: SessionId, error: unknown): void {
    const text = "a recording cannot be closed before there is room again";
    this.#channels.log.warn(text, { recording, error: String(error) });
  }

  recordingDamaged(recording: SessionId, error: unknown, stuck?: unknown): void {
    const where = stuck === undefined ? {} : { stuck: String(stuck) };
    const text = "a recording makes no sense and was set aside";
    this.#channels.log.error(text, { recording, error: String(error), ...where });
    this.#channels.outbox.add(
      troubleEvent("recording-damaged", recording, "recording-malformed", String(error)),
    );
  }

  recordingRejected(recording: SessionId, reason: string): void {
    this.#channels.log.error("a recording is not uploaded any more and set aside", { recording, reason });
    this.#channels.outbox.add(troubleEvent("recording-damaged", recording, "recording-rejected", reason));
  }

  recordingFailed(recording: SessionId, message: string): void {
    const text = "a session could not be recorded any longer and was ended";
    this.#channels.log.error(text, { recording, message });
    this.#channels.outbox.add(troubleEvent("trouble", recording, "spool-failed", message));
  }
}
