import { type ProcessIdentity, type ProcessStat, processTable, runsSshd } from "../kernel/processes.ts";
import { socketInodesOf, tcpSocketsOf } from "../kernel/tcp-sockets.ts";
import type { Login } from "../logins/login.ts";
import type { LoginRegistry } from "../logins/login-registry.ts";

/** A forwarding that is shorter than this may go unseen. */
const LOOK_MS = 100;

/** What sshd opened for a contractor. */
export interface ForwardedConnection {
  /** `connection` has two ends; `listening` waits for connections to a remote forwarding. */
  kind: "connection" | "listening";
  local: string;
  /** Empty while listening. */
  peer: string;
}

export interface ForwardWatchContext {
  logins: LoginRegistry;
  sshd: string;
  onForward(login: Login, what: "forward-opened" | "forward-closed", forward: ForwardedConnection): void;
}

/**
 * Notes the connections that sshd makes and takes for logins which forwarding is granted to. sshd itself tells nobody,
 * so its sockets are looked at, ten times a second, and only while there is such a login.
 */
export class ForwardWatch {
  readonly #context: ForwardWatchContext;
  readonly #open = new Map<string, { login: Login; forward: ForwardedConnection }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(context: ForwardWatchContext) {
    this.#context = context;
  }

  watch(): void {
    this.#timer ??= setInterval(() => this.look(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** One round. */
  look(): void {
    const logins = this.#context.logins.alive().filter((login) => login.forwarding);
    const children =
      logins.length === 0 ? new Map() : Map.groupBy(processTable().values(), ({ parent }) => parent);
    const found = new Map(logins.flatMap((login) => this.#of(login, children)));
    for (const [key, { login, forward }] of this.#open) {
      if (found.has(key)) continue;
      this.#open.delete(key);
      this.#context.onForward(login, "forward-closed", forward);
    }
    for (const [key, entry] of found) {
      if (this.#open.has(key)) continue;
      this.#open.set(key, entry);
      this.#context.onForward(entry.login, "forward-opened", entry.forward);
    }
    if (logins.length === 0) this.stop();
  }

  #of(
    login: Login,
    children: ReadonlyMap<number, ProcessStat[]>,
  ): [string, { login: Login; forward: ForwardedConnection }][] {
    const { monitor } = login;
    // The contractor's own connection is the monitor's too; a forwarded one is its child's alone.
    const own = new Set(socketInodesOf(monitor.pid));
    return this.#sshdBelow(monitor, children).flatMap(({ pid }) => {
      const inodes = new Set(socketInodesOf(pid).filter((inode) => !own.has(inode)));
      if (inodes.size === 0) return [];
      return tcpSocketsOf(pid)
        .filter((socket) => inodes.has(socket.inode))
        .map(({ inode, state, local, peer }) => {
          const kind = state === "listen" ? ("listening" as const) : ("connection" as const);
          return [
            `${pid}:${inode}`,
            { login, forward: { kind, local, peer: kind === "listening" ? "" : peer } },
          ];
        });
    });
  }

  #sshdBelow(monitor: ProcessIdentity, children: ReadonlyMap<number, ProcessStat[]>): ProcessIdentity[] {
    return (children.get(monitor.pid) ?? []).filter(({ pid }) => runsSshd(pid, this.#context.sshd));
  }
}
