import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync } from "node:fs";
import { type ProcessIdentity, processStat } from "@sallyport/agent/kernel/processes.ts";
import { finished, type Outcome } from "../../../fixtures/processes.ts";
import type { SanitizedShim } from "./shim.ts";

/** In place of sshd: a program of this name that starts what sshd would start, when it is told to. */
export class SshdInPlace {
  readonly path: string;
  readonly #shim: SanitizedShim;
  readonly #started: ChildProcess[] = [];

  constructor(path: string, shim: SanitizedShim) {
    copyFileSync("/bin/dash", path);
    [this.path, this.#shim] = [path, shim];
  }

  /** Starts `script` as a child of ours would be; it waits until `go` is called. */
  start(
    script: string,
    options: { program?: string; uid?: number; env?: Record<string, string> } = {},
  ): WaitingSshd {
    const { program = this.path, uid, env } = options;
    const child = spawn(program, ["-c", `read -r _; ${script}; exit $?`], {
      env: { PATH: "/usr/bin:/bin", ...this.#shim.env, ...env },
      stdio: ["pipe", "pipe", "pipe"],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    this.#started.push(child);
    return new WaitingSshd(child);
  }

  /** Ends those that never went. */
  close(): void {
    for (const child of this.#started) child.kill("SIGKILL");
  }

  /** The shell words that run a command as another account. */
  as(uid: number, command: string): string {
    return `setpriv --reuid=${uid} --regid=${uid} --clear-groups -- ${command}`;
  }
}

export class WaitingSshd {
  readonly #child: ChildProcess;
  readonly identity: ProcessIdentity;

  constructor(child: ChildProcess) {
    this.#child = child;
    const { pid, startTime } = processStat(child.pid ?? 0) ?? { pid: 0, startTime: 0 };
    this.identity = { pid, startTime };
  }

  go(): Promise<Outcome> {
    const outcome = finished(this.#child);
    this.#child.stdin?.end("\n");
    return outcome;
  }
}
