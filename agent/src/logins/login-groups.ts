import { existsSync } from "node:fs";
import type { Cgroups } from "../kernel/cgroups.ts";
import type { ProcessIdentity } from "../kernel/processes.ts";

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
   * Where logind does it (when the PAM session opens) there is nothing to do.
   */
  prepare(monitor: ProcessIdentity): void {
    if (!this.#cgroups.available || this.#byLogind()) return;
    const group = this.#own(monitor);
    if (this.#moving.has(group) || this.#cgroups.of(monitor.pid) === group) return;
    const moving = this.#cgroups.move(monitor.pid, group);
    this.#moving.set(group, moving);
    void moving.finally(() => this.#moving.delete(group));
  }

  /**
   * The group of a login, with its shim and the sshd processes above it inside; null where the host has none. Usually
   * they are there already and this returns at once.
   */
  async settle(monitor: ProcessIdentity, chain: readonly number[]): Promise<string | null> {
    if (!this.#cgroups.available) return null;
    const own = this.#own(monitor);
    await this.#moving.get(own);
    const shim = chain.at(-1);
    const group = shim === undefined ? null : this.#cgroups.of(shim);
    if (group !== null && (group === own || SESSION_SCOPE.test(group))) return group;
    for (const pid of [monitor.pid, ...chain]) if (!(await this.#cgroups.move(pid, own))) return null;
    return own;
  }

  /** The group that a connection is in now; null where it has none of its own. */
  of(monitor: ProcessIdentity): string | null {
    const group = this.#cgroups.of(monitor.pid);
    return group !== null && (group === this.#own(monitor) || SESSION_SCOPE.test(group)) ? group : null;
  }

  /** Removes groups of ours that nothing is in any more. Logind removes its own. */
  sweep(): void {
    for (const name of this.#cgroups.below(this.#base)) this.#cgroups.remove(`${this.#base}/${name}`);
  }

  /** Groups of ours, also those of logins before a restart of the agent. */
  all(): string[] {
    return this.#cgroups.below(this.#base).map((name) => `${this.#base}/${name}`);
  }

  #own({ pid, startTime }: ProcessIdentity): string {
    return `${this.#base}/login-${pid}-${startTime}`;
  }
}
