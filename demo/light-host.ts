import type { ChildProcess } from "node:child_process";
import { dirname } from "node:path";
import { addAccount, type HostAccount } from "./light-host/accounts.ts";
import { CLONE, HostAgent, installAgent, SHIM } from "./light-host/agent.ts";
import { HostNamespace, type RunOptions, type RunResult, type SpawnInside } from "./light-host/namespace.ts";
import { startSshd } from "./light-host/sshd.ts";
import { writeSystemFiles } from "./light-host/system-files.ts";

export type { HostAccount } from "./light-host/accounts.ts";

export type LightHostOptions = {
  name: string;
  /** Where sshd listens; the host shares this machine's network. */
  address: string;
  sshPort: number;
  /** For init.log, sshd.log and agent.log; stays after the host is gone. */
  directory: string;
  accounts: HostAccount[];
  /** Installs, enrols and runs the agent; default: when a join token is given. */
  agent?: boolean;
  joinToken?: string;
  /** More lines for sshd_config, after the agent's drop-in. */
  sshdConfig?: string;
  /** For the agent's environment. */
  env?: Record<string, string>;
};

export type LightHost = {
  name: string;
  address: string;
  port: number;
  /** PID 1 of the host, as this machine numbers it. */
  pid: number;
  /** Runs a command inside to its end; as root unless `uid` (name or number) says otherwise. */
  run(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  spawn(argv: readonly string[], options?: SpawnInside): ChildProcess;
  readFile(path: string): Promise<string>;
  /** Stops the agent until {@link LightHost.startAgent}; its recorders go on. */
  stopAgent(): Promise<void>;
  /** Starts the agent; resolves when it takes sessions. */
  startAgent(): Promise<void>;
  /** Sends a signal and waits for the agent's end; PID 1 starts it anew 0.2 s later. */
  killAgent(signal: NodeJS.Signals): Promise<void>;
  /** Resolves when the agent takes sessions, for instance after {@link LightHost.killAgent}. */
  agentReady(): Promise<void>;
  /** On this machine, as are {@link LightHost.recorderPids}. */
  agentPid(): number | undefined;
  recorderPids(): number[];
  /** Path of the agent's JSON log. */
  agentLog(): string;
  /** Path of sshd's log. */
  sshdLog(): string;
  /** Resolves when the host is gone, whoever ended it. */
  gone: Promise<void>;
  /** Ends every process of the host; nothing but the logs stays. */
  close(): Promise<void>;
};

/** How long the agent may take to end by itself when the host is closed. */
const GRACE_MS = 3000;

/**
 * Starts a Linux host of its own: separate accounts, /etc, /var, processes, terminals and sshd, on file systems laid
 * over this machine's, whose own files and accounts stay as they are.
 */
export async function startLightHost(options: LightHostOptions): Promise<LightHost> {
  const { name, directory, address, sshPort } = options;
  const withAgent = options.agent ?? options.joinToken !== undefined;
  const host = await HostNamespace.open(name, directory, [CLONE, dirname(process.execPath)]);
  const agent = new HostAgent(host, directory, { ...coverage(), ...options.env });
  try {
    await writeSystemFiles(host, name, options.sshdConfig);
    if (withAgent) await installAgent(host);
    for (const account of options.accounts) await addAccount(host, account, withAgent ? SHIM : undefined);
    if (withAgent && options.joinToken !== undefined) await agent.enroll(options.joinToken);
    await Promise.all([startSshd(host, directory, address, sshPort), withAgent ? agent.start() : undefined]);
  } catch (error) {
    await host.close();
    throw error;
  }
  return {
    name,
    address,
    port: sshPort,
    pid: host.pid,
    run: (argv, runOptions) => host.run(argv, runOptions),
    spawn: (argv, spawnOptions) => host.spawn(argv, spawnOptions),
    readFile: (path) => host.mustRun(["cat", path]),
    stopAgent: () => agent.stop(),
    startAgent: () => agent.start(),
    killAgent: (signal) => agent.kill(signal),
    agentReady: () => agent.ready(),
    agentPid: () => agent.pid(),
    recorderPids: () => agent.recorderPids(),
    agentLog: () => agent.log,
    sshdLog: () => `${directory}/sshd.log`,
    gone: host.gone,
    close: () => close(host, agent),
  };
}

/** The agent first, so that it can put its house in order (and c8 gets its coverage); then all at once. */
async function close(host: HostNamespace, agent: HostAgent): Promise<void> {
  if (host.servicePid("agent") !== undefined) {
    const grace = AbortSignal.timeout(GRACE_MS);
    await Promise.race([
      agent.stop().catch(() => {}),
      new Promise((resolve) => grace.addEventListener("abort", resolve)),
    ]);
  }
  await host.close();
}

/** c8's directory, so that what tests make the agent do is counted. */
function coverage(): Record<string, string> {
  const directory = process.env.NODE_V8_COVERAGE;
  return directory === undefined ? {} : { NODE_V8_COVERAGE: directory };
}
