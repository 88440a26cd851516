import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { logTail } from "./light-host/log-tail.ts";
import { CLEAN_ENVIRONMENT } from "./light-host/namespace.ts";

const STOP_WITHIN_MS = 5000;

/** A program that the demo keeps running; it ends with the demo, however that ends. */
export class Program {
  readonly name: string;
  readonly log: string;
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;

  /** Starts `argv` with its output in `log`. */
  constructor(name: string, argv: readonly string[], log: string) {
    this.name = name;
    this.log = log;
    const output = openSync(log, "a", 0o600);
    // Detached: Ctrl-C reaches the demo alone, which then ends its programs in order.
    this.#child = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...argv], {
      stdio: ["ignore", output, output],
      env: CLEAN_ENVIRONMENT,
      cwd: "/",
      detached: true,
    });
    closeSync(output);
    this.#closed = once(this.#child, "close").catch(() => {});
  }

  /** Rejects when the program ends, telling how and with the end of its log. Never resolves. */
  async failure(): Promise<never> {
    await this.#closed;
    const { exitCode, signalCode } = this.#child;
    throw new Error(`The ${this.name} ended (${signalCode ?? `status ${exitCode}`}). ${logTail(this.log)}`);
  }

  /** Ends the program: SIGTERM, and SIGKILL if that does not do. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    const patience = new AbortController();
    const killed = pause(STOP_WITHIN_MS, undefined, { signal: patience.signal }).then(
      () => this.#child.kill("SIGKILL"),
      () => {},
    );
    await this.#closed;
    patience.abort();
    await killed;
  }
}

/** Runs a program to its end and returns what it printed; throws, with what it said, if it fails. */
export async function runProgram(argv: readonly string[]): Promise<string> {
  const [command = "", ...args] = argv;
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: CLEAN_ENVIRONMENT, cwd: "/" });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Error(`${argv.join(" ")} failed: ${(output.stderr || output.stdout).trim()}`);
  return output.stdout;
}
