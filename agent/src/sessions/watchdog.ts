import type { Cgroups } from "../kernel/cgroups.ts";
import { ProcessSnapshot } from "../kernel/process-snapshot.ts";
import {
  ageOf,
  describeProcess,
  isAlive,
  type ProcessIdentity,
  type ProcessStat,
  signalProcess,
} from "../kernel/processes.ts";
import type { Login } from "../logins/login.ts";
import type { LoginGroups } from "../logins/login-groups.ts";
import type { LoginRegistry } from "../logins/login-registry.ts";
import { endLogin, endRemains } from "./end-processes.ts";
import { isGenuineShim } from "./genuine-shim.ts";
import { marksOf, processesOf, straysOf } from "./login-processes.ts";

/** A stray is killed at the second sight, so within twice this. */
const LOOK_MS = 800;
/** Time for the shim of a session that is over to show its last words on a slow line. */
const SHIM_LEAVES_MS = 30_000;
const POLL_MS = 25;
/** Logins that are looked at in one go, about a millisecond's work. */
const AT_A_TIME = 4;
/** A shim has its session, or has left, within this; in seconds. And a recorder has come back to an agent that starts. */
const ASKING_S = 15;

export interface WatchdogContext {
  logins: LoginRegistry;
  groups: LoginGroups;
  cgroups: Cgroups;
  sshd: string;
  shim: string;
  /** The shims of sessions that have a recorder, or are promised to one. */
  shims(): ProcessIdentity[];
  /** Processes that ran past the recorder, or were left behind by a session that is over, have been killed. */
  onKilled(login: Login, kind: "watchdog-killed" | "left-behind-ended", processes: string[]): void;
  /** A connection is over and nothing of it runs any more. */
  onOver(login: Login): void;
}

/**
 * Sees to it that what runs in an admitted login is recorded. What is neither sshd nor part of a recorded session is
 * killed within 2 s, and when a session or a connection is over, whatever it left behind. Works only while there are
 * connections.
 */
export class Watchdog {
  readonly #context: WatchdogContext;
  #timer: NodeJS.Timeout | undefined;
  #seen = new Set<string>();
  #looking = false;
  readonly #leaving = new Set<ProcessIdentity>();
  readonly #begun = performance.now();
  readonly #toldLeft = new WeakSet<Login>();

  constructor(context: WatchdogContext) {
    this.#context = context;
  }

  /** There is, or may be, a connection to watch. */
  watch(): void {
    this.#timer ??= setInterval(() => void this.look(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** One round. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      await Promise.all(this.#context.logins.sweep().map((login) => this.#over(login)));
      const logins = this.#context.logins.alive();
      const seen = new Set<string>();
      const endings: Promise<void>[] = [];
      const now = new ProcessSnapshot();
      for (const [index, login] of logins.entries()) {
        endings.push(this.#guard(login, seen, now));
        // With hundreds of them, a login that asks meanwhile must not wait for the whole round.
        if (index % AT_A_TIME === AT_A_TIME - 1) await new Promise(setImmediate);
      }
      await Promise.all(endings);
      this.#seen = seen;
      this.#context.groups.sweep();
      if (logins.length === 0) this.stop();
    } finally {
      this.#looking = false;
    }
  }

  /** A session is over: what it left behind is ended at once, before its shim has left and after. */
  async sessionOver(monitor: ProcessIdentity, shim: ProcessIdentity): Promise<void> {
    this.#leaving.add(shim);
    this.#endLeftBehind(monitor);
    for (let waited = 0; isAlive(shim) && waited < SHIM_LEAVES_MS; waited += POLL_MS) await pause(POLL_MS);
    signalProcess(shim, "SIGKILL");
    if (isAlive(monitor)) this.#endLeftBehind(monitor);
    else await this.look();
    this.#leaving.delete(shim);
  }

  #endLeftBehind(monitor: ProcessIdentity): void {
    const login = this.#context.logins.get(monitor);
    if (login === undefined) return;
    // What sshd has started is another session, that begins on the same connection.
    const { left } = this.#straysOf(login);
    if (left.length > 0) this.#kill(login, "left-behind-ended", left);
  }

  async #guard(login: Login, seen: Set<string>, now: ProcessSnapshot): Promise<void> {
    const again: ProcessStat[] = [];
    const { early, left } = this.#straysOf(login, now);
    for (const stray of [...early, ...left]) {
      const key = `${stray.pid}-${stray.startTime}`;
      seen.add(key);
      if (this.#seen.has(key)) again.push(stray);
    }
    if (again.length === 0) return;
    // Straight below sshd something ran instead of the recorder: the login is not what was admitted.
    const past = again.some((stray) => early.includes(stray));
    this.#kill(login, past ? "watchdog-killed" : "left-behind-ended", again);
    if (past) await endLogin(login, this.#context.cgroups);
  }

  #straysOf(login: Login, now = new ProcessSnapshot()): ReturnType<typeof straysOf> {
    const { cgroups, groups, logins, sshd, shim } = this.#context;
    // PAM may have moved the connection into logind's scope since. A connection that is over has no group any more, and
    // is known by the last one it had.
    const marks = marksOf(login.monitor, groups);
    if (marks.group !== null) logins.mark(login.monitor, marks);
    // When the agent has just started, recorders that are slow have yet to say which shims are theirs.
    const isStarting = (performance.now() - this.#begun) / 1000 < ASKING_S;
    const isAsking = (process: ProcessStat): boolean =>
      (isStarting || ageOf(process) < ASKING_S) && isGenuineShim(process, shim);
    const recorded = { sshd, shims: this.#context.shims(), leaving: [...this.#leaving], isAsking };
    return straysOf(login.monitor, processesOf(login, cgroups, now), recorded);
  }

  #kill(login: Login, kind: "watchdog-killed" | "left-behind-ended", strays: readonly ProcessStat[]): void {
    const processes = strays.map((stray) => describeProcess(stray.pid));
    for (const stray of strays) signalProcess(stray, "SIGKILL");
    this.#context.onKilled(login, kind, processes);
  }

  async #over(login: Login): Promise<void> {
    const { cgroups, groups, logins } = this.#context;
    // The connection may have ended before it was marked, while no agent ran.
    const marks = login.marks ?? { group: groups.own(login.monitor), auditSession: null };
    const left = processesOf({ monitor: login.monitor, marks }, cgroups);
    if (left.length > 0) {
      const processes = left.map(({ pid }) => describeProcess(pid));
      const isEnded = await endRemains({ monitor: login.monitor, marks }, cgroups);
      if (!this.#toldLeft.has(login)) this.#context.onKilled(login, "left-behind-ended", processes);
      this.#toldLeft.add(login);
      if (!isEnded) {
        logins.putBack(login); // the next look goes on
        return;
      }
    }
    // Not before: an agent that is ended in the middle of this leaves it to the next one.
    logins.forget(login);
    this.#context.onOver(login);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
