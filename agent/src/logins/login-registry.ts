import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive, type ProcessIdentity } from "../kernel/processes.ts";
import type { Login, LoginMarks } from "./login.ts";

const UNFINISHED = ".new";

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

  /** The admitted connections that are there, as the agent that runs has noted them; nothing is changed. */
  static admittedIn(directory: string): Login[] {
    return readNames(directory)
      .filter((name) => !name.endsWith(UNFINISHED))
      .flatMap((name) => readLogin(join(directory, name)) ?? [])
      .filter(({ admitted, monitor }) => Boolean(admitted) && isAlive(monitor));
  }

  set(login: Login): void {
    const key = keyOf(login.monitor);
    const before = this.#logins.get(key);
    this.#logins.set(key, login);
    if (before !== undefined && isSameDecision(before, login)) return;
    this.#keep(key, login);
  }

  get(monitor: ProcessIdentity): Login | undefined {
    return this.#logins.get(keyOf(monitor));
  }

  /** The connections that are there. */
  alive(): Login[] {
    return [...this.#logins.values()].filter((login) => isAlive(login.monitor));
  }

  /** Notes by what the processes of a login are known, also for an agent after this one. */
  mark(monitor: ProcessIdentity, marks: LoginMarks): void {
    const key = keyOf(monitor);
    const login = this.#logins.get(key);
    if (login === undefined || JSON.stringify(login.marks) === JSON.stringify(marks)) return;
    login.marks = marks;
    this.#keep(key, login);
  }

  /**
   * Takes the connections that are over and returns them: what they left behind is still to be ended, and until that is
   * done (`forget`) they are kept for an agent after this one.
   */
  sweep(): Login[] {
    const over: Login[] = [];
    for (const [key, login] of this.#logins) {
      if (isAlive(login.monitor)) continue;
      over.push(login);
      this.#logins.delete(key);
    }
    return over;
  }

  /** A connection that `sweep` gave is done with. */
  forget({ monitor }: Login): void {
    rmSync(join(this.#directory, keyOf(monitor)), { force: true });
  }

  /** A connection that `sweep` gave is not done with: it gives it again. */
  putBack(login: Login): void {
    this.#logins.set(keyOf(login.monitor), login);
  }

  /** Whole or not at all: an agent that is killed meanwhile must not lose sight of a connection that is open. */
  #keep(key: string, login: Login): void {
    const path = join(this.#directory, key);
    writeFileSync(`${path}${UNFINISHED}`, JSON.stringify(login), { mode: 0o600 });
    renameSync(`${path}${UNFINISHED}`, path);
  }

  #load(name: string): void {
    const path = join(this.#directory, name);
    if (name.endsWith(UNFINISHED)) {
      rmSync(path, { force: true });
      return;
    }
    try {
      const login = JSON.parse(readFileSync(path, "utf8")) as Login; // root's own file, in root's own directory
      // One that is over by now is found by the next sweep.
      this.#logins.set(keyOf(login.monitor), login);
    } catch {
      rmSync(path, { force: true }); // cut off by a crash: that login has to ask again
    }
  }
}

function readNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // no agent has run since the host was booted
  }
}

function readLogin(path: string): Login | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Login; // root's own file, in root's own directory
  } catch {
    return null; // gone since the directory was read
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
