import { existsSync, rmSync } from "node:fs";
import { readClockFile, writeClockFile } from "./clock-file.ts";
import { elapsed, type Reading, type TimeSource } from "./time-source.ts";

/** Seconds that the clock may be behind what it should be: NTP's corrections and leap seconds are smaller. */
const TOLERANCE = 60;
const SAVE_MS = 60_000;

export interface HostClockContext {
  time: TimeSource;
  /** Where the record is kept. */
  path: string;
  /** An operator's word that the clock is right: a file that is there, see `accept-clock.ts`. */
  acceptedPath: string;
  /** The clock was found to be set back, or is right again; `detail` says by what. Told once each time. */
  onChange(trusted: boolean, detail: string): void;
  /** The record cannot be written; the clock is judged all the same while the agent runs. */
  onTrouble(error: unknown): void;
}

/** Whether times can be judged. */
export interface ClockState {
  trusted: boolean;
  detail: string;
}

/**
 * The time that logins, sessions and leases are judged by. It is the wall clock, but never earlier than what is known to
 * be past: the latest time that there was, plus what clocks that nobody sets have counted since; and what a pinned policy
 * key has signed. A wall clock more than a minute behind that was set back.
 *
 * When it was a wrong clock that was mended, the control plane's next lease says so (`confirm`), or an operator does.
 */
export class HostClock {
  readonly #context: HostClockContext;
  /** A time that is past, and the reading when it was. */
  #latest: { time: number; at: Omit<Reading, "monotonic"> & { monotonic: number | null } };
  #signed = 0;
  #trusted = true;
  #timer: NodeJS.Timeout | undefined;

  constructor(context: HostClockContext) {
    this.#context = context;
    const { time, path } = context;
    const reading = time.read();
    const record = readClockFile(path);
    // After a reboot nobody knows how long the host was off: it was at least as late as it had been.
    const sameBoot = record?.bootId === time.bootId && record.boot <= reading.boot;
    const at = sameBoot ? { wall: record.latest, boot: record.boot, monotonic: null } : reading;
    this.#latest = { time: record?.latest ?? reading.wall, at };
    this.#signed = record?.signed ?? 0;
  }

  /** Saves what is known once a minute, and looks at the clock then. */
  start(): void {
    this.state();
    this.#save();
    this.#timer = setInterval(() => {
      this.state();
      this.#save();
    }, SAVE_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#save();
  }

  /** Seconds since the epoch; never before what is known to be past. */
  now(): number {
    return this.#judge().now;
  }

  /** Can times be judged? */
  state(): ClockState {
    const { trusted, detail } = this.#judge();
    return { trusted, detail };
  }

  /** A document that a pinned key signed was made at this time (seconds): it is not earlier now. */
  signedAt(time: number): void {
    this.#signed = Math.max(this.#signed, time);
  }

  /**
   * The control plane has just signed, for us and over the link, that it is this time (seconds). Where the wall clock
   * agrees, it is right, whatever it was before.
   */
  confirm(time: number): void {
    const reading = this.#context.time.read();
    // Not newer than what has been signed before: it may have been kept from then.
    const fresh = time > this.#signed;
    this.signedAt(time);
    if (fresh && Math.abs(reading.wall - time) <= TOLERANCE)
      this.#latest = { time: reading.wall, at: reading };
    this.state();
  }

  #judge(): ClockState & { now: number } {
    let { now, behind } = this.#look();
    if (behind > TOLERANCE && this.#accepted()) ({ now, behind } = this.#look());
    const trusted = behind <= TOLERANCE;
    const detail = trusted
      ? "the clock goes on as it should"
      : `the clock is ${Math.round(behind)} s behind what it was set to before`;
    if (trusted !== this.#trusted) {
      this.#trusted = trusted;
      this.#context.onChange(trusted, detail);
    }
    return { now, trusted, detail };
  }

  #look(): { now: number; behind: number } {
    const reading = this.#context.time.read();
    const past = Math.max(this.#latest.time + elapsed(this.#latest.at, reading), this.#signed);
    // Where the clock agrees with what should be, it is the reference again: rates differ a little over months.
    if (reading.wall >= past) this.#latest = { time: reading.wall, at: reading };
    return { now: Math.max(reading.wall, past), behind: past - reading.wall };
  }

  #accepted(): boolean {
    const { acceptedPath, time } = this.#context;
    if (!existsSync(acceptedPath)) return false;
    rmSync(acceptedPath);
    const reading = time.read();
    this.#latest = { time: reading.wall, at: reading };
    this.#signed = 0;
    this.#save();
    return true;
  }

  #save(): void {
    const { time, path } = this.#context;
    const { now } = this.#look();
    try {
      const { boot } = time.read();
      writeClockFile(path, { v: 1, latest: now, signed: this.#signed, boot, bootId: time.bootId });
    } catch (error) {
      this.#context.onTrouble(error);
    }
  }
}
