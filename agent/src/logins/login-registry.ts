import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive, type ProcessIdentity } from "../kernel/processes.ts";
import type { Login } from "./login.ts";

/**
 * The decisions on connections that are still there, by sshd process. sshd asks for every key that a client offers, and
 * authenticates with the one it asked for last, so the last decision of a process is the one that counts. Kept under
 * /run as well: a restart of the agent loses no login in flight, and a reboot loses them all, as it should.
 */
export class LoginRegistry {
  readonly #directory: string;
  readonly #logins = new Map<string, Login>();

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(directory)) this.#load(name);
  }

  set(login: Login): void {
    const key = keyOf(login.monitor);
    const before = this.#logins.get(key);
    this.#logins.set(key, login);
    if (before !== undefined && isSameDecision(before, login)) return;
    writeFileSync(join(this.#directory, key), JSON.stringify(login), { mode: 0o600 });
  }

  get(monitor: ProcessIdentity): Login | undefined {
    return this.#logins.get(keyOf(monitor));
  }

  /** The connections that are there. */
  alive(): Login[] {
    return [...this.#logins.values()].filter((login) => isAlive(login.monitor));
  }

  /** Forgets connections that are over; called now and then. */
  sweep(): void {
    for (const [key, login] of this.#logins) {
      if (isAlive(login.monitor)) continue;
      this.#logins.delete(key);
      rmSync(join(this.#directory, key), { force: true });
    }
  }

  #load(name: string): void {
    const path = join(this.#directory, name);
    try {
      const login = JSON.parse(readFileSync(path, "utf8")) as Login; // root's own file, in root's own directory
      if (isAlive(login.monitor)) this.#logins.set(keyOf(login.monitor), login);
      else rmSync(path, { force: true });
    } catch {
      rmSync(path, { force: true }); // cut off by a crash: that login has to ask again
    }
  }
}

function isSameDecision(a: Login, b: Login): boolean {
  const essence = ({ certificateHash, account, refused, admitted }: Login) =>
    JSON.stringify([certificateHash, account, refused?.code, admitted]);
  return essence(a) === essence(b);
}

function keyOf(monitor: ProcessIdentity): string {
  return `${monitor.pid}-${monitor.startTime}`;
}
