import { existsSync } from "node:fs";
import type { Cgroups } from "../kernel/cgroups.ts";
import { type ProcessIdentity, processStat } from "../kernel/processes.ts";

/** pam_systemd(8) puts each connection into a scope of its own. */
const SESSION_SCOPE = /^\/user\.slice\/user-[0-9]+\.slice\/session-[^/]+\.scope$/;
/** There while systemd-logind runs. */
const LOGIND = "/run/systemd/sessions";

/**
 * Gives every login a control group: logind's own scope where there is one, else a group of ours. All that a contractor
 * starts stays in it, so that a login can be ended with what detached itself.
 */
export class LoginGroups {
  readonly #cgroups: Cgroups;
  readonly #base: string;
  readonly #byLogind: () => boolean;
  readonly #moving = new Map<string, Promise<boolean>>();

  /** `hostId` keeps apart hosts that share one kernel. */
  constructor(cgroups: Cgroups, hostId: string, byLogind = () => existsSync(LOGIND)) {
    this.#cgroups = cgroups;
    this.#base = `/sallyport-${hostId}`;
    this.#byLogind = byLogind;
  }

  /**
   * Begins to move the sshd process of a connection into a group, in good time: what it forks after that is in it too.
   * Where logind does it (when the PAM session opens) there is nothing to do; unless sshd was started by hand by somebody
   * who is logged in: then the connection is in that one's scope, and logind would leave it there.
   */
  async prepare(monitor: ProcessIdentity): Promise<void> {
    if (!this.#cgroups.available) return;
    if (this.#byLogind() && !SESSION_SCOPE.test(this.#cgroups.of(monitor.pid) ?? "")) return;
    if (this.of(monitor) !== null) return; // it asks a second time
    const group = this.own(monitor);
    const moving = this.#moving.get(group) ?? this.#cgroups.move(monitor.pid, group);
    this.#moving.set(group, moving);
    await moving;
    this.#moving.delete(group);
  }

  /**
   * The group of a login, with its shim and the sshd processes above it inside; null where the host has none. Usually
   * they are there already and this returns at once.
   */
  async settle(monitor: ProcessIdentity, chain: readonly number[]): Promise<string | null> {
    if (!this.#cgroups.available) return null;
    const own = this.own(monitor);
    await this.#moving.get(own);
    const shim = chain.at(-1);
    const group = shim === undefined ? null : this.#cgroups.of(shim);
    if (group !== null && this.#isOf(monitor, group)) return group;
    for (const pid of [monitor.pid, ...chain]) if (!(await this.#cgroups.move(pid, own))) return null;
    return own;
  }

  /** The group that a connection is in now; null where it has none of its own. */
  of(monitor: ProcessIdentity): string | null {
    const group = this.#cgroups.of(monitor.pid);
    return group !== null && this.#isOf(monitor, group) ? group : null;
  }

  /** A scope that sshd's listener is in as well is an administrator's, who would be ended with the login. */
  #isOf(monitor: ProcessIdentity, group: string): boolean {
    if (group === this.own(monitor)) return true;
    const listener = processStat(monitor.pid)?.parent;
    return SESSION_SCOPE.test(group) && (listener === undefined || this.#cgroups.of(listener) !== group);
  }

  /** Removes groups of ours that nothing is in any more. Logind removes its own. */
  sweep(): void {
    for (const name of this.#cgroups.below(this.#base)) this.#cgroups.remove(`${this.#base}/${name}`);
  }

  /** Our group for a connection, whether it is there or not. */
  own({ pid, startTime }: ProcessIdentity): string {
    return `${this.#base}/login-${pid}-${startTime}`;
  }
}
