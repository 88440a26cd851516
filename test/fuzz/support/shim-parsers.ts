import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const SOURCES = join(import.meta.dirname, "../../../agent/shim");
/** The shim leaves memory to exit(2), and so a process of ours is given only so many cases. */
const CASES_PER_PROCESS = 2_000;
const DEADLINE_MS = 10_000;

/** The shim's parsers with sanitizers, see `agent/shim/fuzz/fuzz.h`; built in a directory of its own. */
export class ShimParsers {
  readonly #path: string;
  #child: ChildProcessWithoutNullStreams | undefined;
  #cases = 0;
  #findings = "";
  #settle: { resolve(line: string): void; reject(error: Error): void } | undefined;

  constructor(directory: string) {
    cpSync(SOURCES, directory, { recursive: true });
    const goal = "sallyport-shim-fuzz";
    const made = spawnSync("make", ["-s", "-B", "-C", directory, goal], { encoding: "utf8" });
    if (made.status !== 0) throw new Error(`the shim's parsers do not build: ${made.stderr}`);
    this.#path = join(directory, goal);
  }

  /** Gives one case to a parser; what it made of it. Rejects when it crashed, with what the sanitizers say, or hangs. */
  parse(kind: "F" | "I" | "P" | "A" | "Q", bytes: Uint8Array): Promise<string> {
    if (this.#child === undefined || this.#cases++ >= CASES_PER_PROCESS) this.#start();
    const head = Buffer.alloc(5);
    head.writeUInt32BE(bytes.length);
    head.write(kind, 4, "latin1");
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => this.#child?.kill("SIGKILL"), DEADLINE_MS);
      const settled = <T>(then: (value: T) => void) => {
        return (value: T) => {
          clearTimeout(deadline);
          this.#settle = undefined;
          then(value);
        };
      };
      this.#settle = { resolve: settled(resolve), reject: settled(reject) };
      this.#child?.stdin.write(Buffer.concat([head, bytes]));
    });
  }

  /** Ends the process. */
  close(): void {
    this.#child?.stdin.end();
    this.#child = undefined;
  }

  #start(): void {
    this.close();
    this.#cases = 1;
    this.#findings = "";
    const child = spawn(this.#path, {
      env: { ASAN_OPTIONS: "detect_leaks=0", UBSAN_OPTIONS: "print_stacktrace=1" },
      stdio: "pipe",
    });
    this.#child = child;
    child.stdin.on("error", () => {});
    child.stderr.on("data", (chunk: Buffer) => {
      this.#findings += chunk.toString();
    });
    createInterface(child.stdout).on("line", (line) => this.#settle?.resolve(line));
    child.on("close", (status, signal) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#settle?.reject(new Error(`a parser ended with ${status ?? signal}: ${this.#findings}`));
    });
  }
}
