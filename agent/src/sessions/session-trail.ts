import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import type { HostEvent } from "@sallyport/core/messages/host-link.ts";
import { leftOutEvent, sessionEvent } from "../events.ts";
import type { LiveSession } from "../recorders/control-messages.ts";

/** Most events of a session and minute: a contractor who makes many must not drive those of others out of the outbox. */
const MOST = 1000;
const MINUTE_MS = 60_000;

interface Minute {
  live: LiveSession;
  since: number;
  told: number;
  /** How many were left out, by their type. */
  leftOut: Map<HostEvent["type"], number>;
  timer: NodeJS.Timeout | undefined;
}

/** What happens in sessions, for the audit log: everything, but for more than a thousand events of a session in a minute. */
export class SessionTrail {
  readonly #clock: () => number;
  readonly #add: (event: HostEvent) => void;
  readonly #minutes = new Map<string, Minute>();

  /** `clock` in milliseconds. */
  constructor(clock: () => number, add: (event: HostEvent) => void) {
    this.#clock = clock;
    this.#add = add;
  }

  note(live: LiveSession, happened: SessionEvent): void {
    const event = sessionEvent(live, happened);
    if (event === null) return;
    const minute = this.#minuteOf(live);
    if (minute.told < MOST) {
      minute.told++;
      this.#add(event);
      return;
    }
    minute.leftOut.set(event.type, (minute.leftOut.get(event.type) ?? 0) + 1);
    // Said at the end of its minute also when nothing else happens.
    const left = minute.since + MINUTE_MS - this.#clock();
    minute.timer ??= setTimeout(() => this.#close(live.session), left).unref();
  }

  /** The session has ended. */
  over(session: string): void {
    this.#close(session);
  }

  #minuteOf(live: LiveSession): Minute {
    const now = this.#clock();
    const present = this.#minutes.get(live.session);
    if (present !== undefined && now >= present.since && now - present.since < MINUTE_MS) return present;
    this.#close(live.session);
    const minute = { live, since: now, told: 0, leftOut: new Map(), timer: undefined };
    this.#minutes.set(live.session, minute);
    return minute;
  }

  #close(session: string): void {
    const minute = this.#minutes.get(session);
    if (minute === undefined) return;
    this.#minutes.delete(session);
    clearTimeout(minute.timer);
    for (const [type, count] of minute.leftOut) this.#add(leftOutEvent(minute.live, count, type));
  }
}
