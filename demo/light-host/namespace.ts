import {
  type ChildProcess,
  type ChildProcessWithoutNullStreams,
  type SpawnOptions,
  spawn,
} from "node:child_process";
import { EventEmitter, once } from "node:events";
import { createWriteStream, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { isInhabited, onlyChild, pidNamespace } from "./processes.ts";
import { shellWords } from "./shell-words.ts";
import { until } from "./until.ts";

const INIT = join(import.meta.dirname, "../light-host-init.sh");

/** The environment that services and commands inside get; nothing of the caller's. */
export const CLEAN_ENVIRONMENT = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  LANG: "C.UTF-8",
};

/** Whom a command inside runs as: a name or uid of the host's own accounts; root by default. */
type RunAs = { uid?: number | string; env?: Record<string, string> };
export type SpawnInside = RunAs & Omit<SpawnOptions, "uid" | "env">;
export type RunOptions = RunAs & { input?: string | Uint8Array };
export type RunResult = { status: number | null; stdout: string; stderr: string };

/** What a host that is to be set up must be able to do, whatever it runs in. */
export type HostInside = Pick<HostNamespace, "run" | "mustRun" | "outside">;

/** What the host's PID 1 reports. */
type Report = { event: "up" | "started" | "ended" | "stopped"; service: string; value: number };
type ReportEvents = { report: [Report]; gone: [] };

/**
 * The namespaces that a light host lives in, and its PID 1. They end with this process, however it ends: PID 1 leaves
 * when its standard input closes, and is killed should `unshare` lose its parent.
 */
export class HostNamespace {
  readonly #unshare: ChildProcessWithoutNullStreams;
  readonly #reports = new EventEmitter<ReportEvents>();
  readonly #gone: Promise<void>;
  readonly #inside = new Set<Promise<unknown>>();
  readonly #servicePids = new Map<string, number>();
  /** PID 1 of the host, as this machine numbers it. */
  pid = 0;
  #namespace: string | undefined;

  private constructor(unshare: ChildProcessWithoutNullStreams) {
    this.#unshare = unshare;
    // A host that is gone takes no orders; `gone` tells.
    unshare.stdin.on("error", () => {});
    createInterface({ input: unshare.stdout }).on("line", (line) => this.#take(line));
    this.#gone = once(unshare, "close").then(() => {
      this.#servicePids.clear();
      this.#reports.emit("gone");
    });
  }

  /** Makes the namespaces. `kept` are paths that stay the machine's own inside. */
  static async open(name: string, directory: string, kept: readonly string[]): Promise<HostNamespace> {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const log of ["init.log", "sshd.log", "agent.log"]) rmSync(join(directory, log), { force: true });
    const [command = "", ...args] = [
      ...["setpriv", "--pdeathsig", "KILL"],
      ...["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"],
      ...["bash", INIT, name, directory, ...kept],
    ];
    // Detached, so that Ctrl-C in the terminal reaches the owner alone, who then ends the host in order.
    const unshare = spawn(command, args, { env: CLEAN_ENVIRONMENT, cwd: "/", detached: true });
    const said: Buffer[] = [];
    unshare.stderr.on("data", (chunk: Buffer) => said.push(chunk));
    unshare.stderr.pipe(createWriteStream(join(directory, "init.log"), { mode: 0o600 }));
    const namespace = new HostNamespace(unshare);
    try {
      await once(unshare, "spawn");
      await namespace.reported((report) => report.event === "up");
    } catch (cause) {
      throw new Error(`${CANNOT}: ${Buffer.concat(said).toString().trim() || "it ended at once"}`, { cause });
    }
    namespace.pid = onlyChild(unshare.pid ?? 0);
    namespace.#namespace = pidNamespace(namespace.pid);
    return namespace;
  }

  /** Runs a command inside, to its end. */
  async run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const { input, ...runAs } = options;
    const child = this.spawn(argv, { ...runAs, stdio: "pipe" });
    const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    child.stdout?.on("data", (chunk: Buffer) => output.stdout.push(chunk));
    child.stderr?.on("data", (chunk: Buffer) => output.stderr.push(chunk));
    // A command may end without reading its input; that is its business.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
    const [status] = (await once(child, "close")) as [number | null];
    const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString("utf8");
    return { status, stdout: text(output.stdout), stderr: text(output.stderr) };
  }

  /** Runs a command inside and throws, with what it said, if it fails. */
  async mustRun(argv: readonly string[], options: RunOptions = {}): Promise<string> {
    const result = await this.run(argv, options);
    if (result.status !== 0)
      throw new Error(`${argv.join(" ")} failed in the light host: ${result.stderr || result.stdout}`);
    return result.stdout;
  }

  /** Starts a command inside. */
  spawn(argv: readonly string[], options: SpawnInside = {}): ChildProcess {
    const { uid, env, ...spawnOptions } = options;
    const environment = { ...CLEAN_ENVIRONMENT, ...env };
    const become = uid === undefined ? [] : becoming(uid, readFileSync(this.outside("/etc/passwd"), "utf8"));
    // Root and working directory are PID 1's: "--wd=/" would be this machine's "/", and in a chroot so would the root.
    const namespaces = ["--mount", "--uts", "--ipc", "--pid", "--root", "--wd"];
    const enter = ["--target", String(this.pid), ...namespaces, "--"];
    const child = spawn("nsenter", [...enter, ...become, ...argv], { ...spawnOptions, env: environment });
    const ended = new Promise((resolve) => child.once("close", resolve).once("error", resolve));
    this.#inside.add(ended);
    void ended.then(() => this.#inside.delete(ended));
    return child;
  }

  /** A path of the host as this machine reaches it. Only for paths without absolute symbolic links. */
  outside(path: string): string {
    return `/proc/${this.pid}/root${path}`;
  }

  /** Starts a service and keeps it running: PID 1 starts it anew 0.2 s after it ends. Its output goes to SERVICE.log. */
  async startService(
    service: string,
    argv: readonly string[],
    env: Record<string, string> = {},
  ): Promise<void> {
    const assignments = Object.entries({ ...CLEAN_ENVIRONMENT, ...env }).map((entry) => entry.join("="));
    const started = this.reported((report) => report.event === "started" && report.service === service);
    this.#unshare.stdin.write(`start ${service} ${shellWords(["env", "-i", ...assignments, ...argv])}\n`);
    await started;
  }

  /** Ends a service (SIGTERM) for good. */
  async stopService(service: string): Promise<void> {
    const stopped = this.reported((report) => report.event === "stopped" && report.service === service);
    this.#unshare.stdin.write(`stop ${service}\n`);
    await stopped;
  }

  /** The service's pid inside, while it runs. */
  servicePid(service: string): number | undefined {
    return this.#servicePids.get(service);
  }

  /** Calls `listener` with each report until the returned function is called. */
  onReport(listener: (report: Report) => void): () => void {
    this.#reports.on("report", listener);
    return () => void this.#reports.off("report", listener);
  }

  /** Resolves with the next report that matches; rejects when the host goes first. */
  reported(matches: (report: Report) => boolean): Promise<Report> {
    return new Promise((resolve, reject) => {
      const settle = () => this.#reports.off("report", onReport).off("gone", onGone);
      const onReport = (report: Report) => {
        if (!matches(report)) return;
        settle();
        resolve(report);
      };
      const onGone = () => {
        settle();
        reject(new Error("the light host has ended"));
      };
      this.#reports.on("report", onReport).on("gone", onGone);
      if (this.isGone) onGone();
    });
  }

  get isGone(): boolean {
    return this.#unshare.exitCode !== null || this.#unshare.signalCode !== null;
  }

  /** Resolves when the host is gone, whoever ended it. */
  get gone(): Promise<void> {
    return this.#gone;
  }

  /** Ends everything inside at once; resolves when nothing is left. */
  async close(): Promise<void> {
    this.#unshare.stdin.end();
    this.#unshare.kill("SIGKILL");
    await this.#gone;
    await Promise.all(this.#inside);
    // PID 1 lets go of its files before the kernel has killed the others.
    const namespace = this.#namespace;
    if (namespace !== undefined) await until(() => !isInhabited(namespace), EMPTY_WITHIN_MS);
  }

  #take(line: string): void {
    const [event, service = "", value] = line.split(" ");
    if (event === "started") this.#servicePids.set(service, Number(value));
    if (event === "ended") this.#servicePids.delete(service);
    this.#reports.emit("report", { event: event as Report["event"], service, value: Number(value) });
  }
}

/** The words before a command that runs it as an account of a host, by name or uid; `passwd` is the host's passwd(5). */
export function becoming(user: number | string, passwd: string): string[] {
  const entry = passwd
    .split("\n")
    .map((line) => line.split(":"))
    .find((field) => [field[0], field[2]].includes(String(user)));
  if (!entry) throw new TypeError(`the host has no account ${user}`);
  return ["setpriv", `--reuid=${entry[2]}`, `--regid=${entry[3]}`, "--init-groups", "--"];
}

const EMPTY_WITHIN_MS = 5000;

const CANNOT =
  "Cannot make a light host, which needs root with mount and PID namespaces and overlayfs (in a container: --privileged)";
