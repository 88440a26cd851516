import { setTimeout as pause } from "node:timers/promises";
import { Cgroups } from "../kernel/cgroups.ts";
import {
  descendantsOf,
  describeProcess,
  type ProcessIdentity,
  processStat,
  signalProcess,
} from "../kernel/processes.ts";
import type { Login } from "../logins/login.ts";
import { LoginGroups } from "../logins/login-groups.ts";
import type { LoginRegistry } from "../logins/login-registry.ts";
import type { LiveSession } from "../recorders/control-messages.ts";
import { endLogin, endRemains } from "./end-processes.ts";
import { Endings } from "./endings.ts";
import { type ForwardedConnection, ForwardWatch } from "./forward-watch.ts";
import { marksOf } from "./login-processes.ts";
import { Watchdog, type WatchdogContext } from "./watchdog.ts";

export interface LoginGuardContext
  extends Pick<WatchdogContext, "sshd" | "shim" | "shims" | "onKilled" | "onOver"> {
  hostId: string;
  logins: LoginRegistry;
  /** A forwarded connection, or a listening socket for one, was opened or closed. */
  onForward(login: Login, what: "forward-opened" | "forward-closed", forward: ForwardedConnection): void;
}

/** For processes that were killed to be gone. */
const GONE_MS = 10;
const GONE_ROUNDS = 100;
/** What cannot be killed at the moment, in the middle of a system call, is tried again so often. */
const AGAIN_MS = 1000;

/** Keeps each admitted login together, watches it, and ends it whole. */
export class LoginGuard {
  readonly #context: LoginGuardContext;
  readonly #cgroups = new Cgroups();
  readonly #groups: LoginGroups;
  readonly #watchdog: Watchdog;
  readonly #forwards: ForwardWatch;
  readonly #endings = new Endings();

  constructor(context: LoginGuardContext) {
    this.#context = context;
    this.#groups = new LoginGroups(this.#cgroups, context.hostId);
    this.#watchdog = new Watchdog({ ...context, cgroups: this.#cgroups, groups: this.#groups });
    this.#forwards = new ForwardWatch(context);
  }

  /** Watches what an agent before us has left; what it was watching when it ended is ended where it must be. */
  start(): void {
    for (const login of this.#context.logins.alive()) void this.admitted(login, true);
    this.#watchdog.watch();
  }

  stop(): void {
    this.#watchdog.stop();
    this.#forwards.stop();
  }

  /**
   * sshd is about to hear that a login is admitted. With an unsafe login shell it hears it only when the connection is in
   * its group: what that shell detaches before the recorder must be in it too. With a safe one nothing runs so early.
   */
  async admitted(login: Login, shellIsSafe: boolean): Promise<void> {
    const prepared = this.#groups.prepare(login.monitor);
    this.#watchdog.watch();
    if (login.forwarding) this.#forwards.watch();
    if (!shellIsSafe) await prepared;
  }

  /**
   * A shim is about to get its session: everything of its login is in one control group, and known by it. With an unsafe
   * login shell, what that has started before the shim is ended first: as the shim's child it would pass for recorded.
   */
  async settle(login: Login, shim: ProcessIdentity, shellIsSafe: boolean): Promise<void> {
    const { monitor } = login;
    const parent = processStat(shim.pid)?.parent;
    const chain = parent === undefined || parent === monitor.pid ? [shim.pid] : [parent, shim.pid];
    const group = await this.#groups.settle(monitor, chain);
    this.#context.logins.mark(monitor, { ...marksOf(monitor, this.#groups), group });
    if (!shellIsSafe) await this.#endBelow(login, shim);
  }

  async #endBelow(login: Login, shim: ProcessIdentity): Promise<void> {
    const told = new Set<string>();
    for (let round = 0; round < GONE_ROUNDS; round++) {
      const early = descendantsOf(shim.pid);
      if (early.length === 0) return;
      const news = early.filter((process) => !told.has(`${process.pid}-${process.startTime}`));
      for (const { pid, startTime } of news) told.add(`${pid}-${startTime}`);
      const processes = news.map(({ pid }) => describeProcess(pid));
      for (const process of early) signalProcess(process, "SIGKILL");
      if (processes.length > 0) this.#context.onKilled(login, "watchdog-killed", processes);
      await new Promise((resolve) => setTimeout(resolve, GONE_MS));
    }
    throw new Error("what ran before the recorder does not end");
  }

  /** A session is over; its connection may go on. */
  sessionOver(live: LiveSession): void {
    void this.#watchdog.sessionOver(live.monitor, live.shim);
  }

  /** Ends a connection with all that runs in it; resolves when nothing does, however long the kernel takes over it. */
  endLogin(monitor: ProcessIdentity): Promise<void> {
    return this.#endings.of(monitor, async () => {
      const marks = this.#context.logins.get(monitor)?.marks ?? marksOf(monitor, this.#groups);
      const login = { monitor, marks };
      if (await endLogin(login, this.#cgroups)) return;
      while (!(await endRemains(login, this.#cgroups))) await pause(AGAIN_MS, undefined, { ref: false });
    });
  }

  /** Resolves when every connection that is being ended by now has ended. */
  endingsOver(): Promise<void> {
    return this.#endings.over();
  }
}
