import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { logTail } from "./log-tail.ts";
import type { HostInside, HostNamespace } from "./namespace.ts";
import { listensOn, processesOf } from "./processes.ts";
import { until } from "./until.ts";

/** The clone that the agent is run from. */
export const CLONE = join(import.meta.dirname, "../..");
/** Where the package puts the shim. */
export const SHIM = "/usr/local/lib/sallyport/shim";

const BUILT_SHIM = join(CLONE, "agent/shim/sallyport-shim");
/** The agent's command line, without a subcommand. */
export const AGENT = [process.execPath, join(CLONE, "agent/src/main.ts")];
/** The sockets that an agent, and each of its recorders, listen on. */
export const SESSION_SOCKET = "/run/sallyport/session.sock";
export const RECORDER_SOCKETS = "/run/sallyport/recorder-";
const READY_WITHIN_MS = 30_000;
/** An agent that ends so often before it is ready will not get better. */
const HOPELESS_DEATHS = 3;

/** What the package's maintainer script does on a server, before any account uses the shim. */
export async function installAgent(host: HostInside): Promise<void> {
  if (!existsSync(BUILT_SHIM))
    throw new Error(`The shim is not built: ${BUILT_SHIM} is missing; run: make -C agent/shim`);
  await host.mustRun(["groupadd", "--system", "--force", "sallyport"]);
  await host.run(["userdel", "sallyport-sshd"]);
  const nologin = "/usr/sbin/nologin";
  await host.mustRun(["useradd", "--system", "--no-create-home", "--shell", nologin, "sallyport-sshd"]);
  await host.mustRun(["install", "-D", "-o", "root", "-g", "root", "-m", "0711", BUILT_SHIM, SHIM]);
  writeFileSync(host.outside("/etc/shells"), `${SHIM}\n`, { flag: "a" });
  mkdirSync(host.outside("/etc/sallyport"), { mode: 0o755 });
  // As RuntimeDirectory= of the service unit does.
  mkdirSync(host.outside("/run/sallyport"), { mode: 0o755 });
  writeFileSync(host.outside("/etc/sallyport/agent.yaml"), `version: 1\nshim: ${SHIM}\n`);
}

/** The agent of a light host: enrolment, start, stop, and its processes. */
export class HostAgent {
  readonly #host: HostNamespace;
  readonly #env: Record<string, string>;
  readonly log: string;

  constructor(host: HostNamespace, directory: string, env: Record<string, string>) {
    this.#host = host;
    this.#env = env;
    this.log = join(directory, "agent.log");
  }

  /** Trades the join token for the host's certificates, trust and sshd drop-in. */
  async enroll(joinToken: string): Promise<void> {
    const enrolled = await this.#host.run([...AGENT, "enroll", "--token-file", "-"], {
      input: `${joinToken}\n`,
      env: this.#env,
    });
    if (enrolled.status !== 0)
      throw new Error(`The agent could not enrol: ${(enrolled.stderr || enrolled.stdout).trim()}`);
  }

  /** Starts the agent and waits until it takes sessions. */
  async start(): Promise<void> {
    await this.#host.startService("agent", [...AGENT, "run"], this.#env);
    await this.ready();
  }

  /** Waits until the agent (perhaps a new one, after a kill) takes sessions. */
  async ready(): Promise<void> {
    let deaths = 0;
    const stopCounting = this.#host.onReport((report) => {
      if (report.event === "ended" && report.service === "agent") deaths++;
    });
    const taking = () => {
      const pid = this.pid();
      if (pid === undefined || !listensOn(pid, SESSION_SOCKET)) return false;
      // A session needs a recorder, and those come a little later.
      return this.recorderPids().some((recorder) => listensOn(recorder, RECORDER_SOCKETS));
    };
    await until(() => this.#host.isGone || deaths >= HOPELESS_DEATHS || taking(), READY_WITHIN_MS);
    stopCounting();
    if (!taking()) throw new Error(`The agent did not come up. ${logTail(this.log)}`);
  }

  /** Stops the agent until {@link start}. */
  async stop(): Promise<void> {
    await this.#host.stopService("agent");
  }

  /** Sends a signal to the agent and, if that ends it, waits for its end; PID 1 starts it anew at once. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const pid = this.pid();
    if (pid === undefined) throw new Error("the agent does not run");
    const ended = this.#host.reported((report) => report.event === "ended" && report.service === "agent");
    process.kill(pid, signal);
    if (signal !== "SIGSTOP" && signal !== "SIGCONT") await ended;
    else void ended.catch(() => {});
  }

  /** The agent's pid on this machine, while it runs. */
  pid(): number | undefined {
    const inner = this.#host.servicePid("agent");
    if (inner === undefined) return undefined;
    return processesOf(this.#host.pid).find((process) => process.innerPid === inner)?.pid;
  }

  /** The recorders' pids on this machine. */
  recorderPids(): number[] {
    const isRecorder = (argv: string[]) => argv[1] === AGENT[1] && argv[2] === "recorder";
    return processesOf(this.#host.pid)
      .filter((process) => isRecorder(process.argv))
      .map((process) => process.pid);
  }
}
