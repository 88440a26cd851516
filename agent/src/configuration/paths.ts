import { join } from "node:path";

/** The agent's sockets; the shim has the same directory compiled in. */
export const RUN_DIRECTORY = "/run/sallyport";

/** Every path that hangs on the state directory and the run directory. */
export interface Paths {
  hostKey: string;
  spool: string;
  /** In the spool, so that moving a recording there is one rename: those that make no sense or are refused. */
  rejected: string;
  /** Likewise: those that are stored and stay for `localRetention`. */
  kept: string;
  bundle: string;
  /** What this host knows of the time. */
  clock: string;
  /** An operator's word that the clock is right. */
  clockAccepted: string;
  /** The local policies as they were when they were last right. */
  lastGoodPolicies: string;
  /** What shared accounts had of jobs before contractors came. */
  accountNotes: string;
  outbox: string;
  jwks: string;
  run: string;
  principalsSocket: string;
  sessionSocket: string;
  /** 0700: what is below is root's alone. */
  privateRun: string;
  controlSocket: string;
  /** Locked by the agent that runs: there is one at a time. */
  agentLock: string;
  logins: string;
  /** Root's alone: what `sallyport-agent status` asks. */
  statusSocket: string;
  /** Prometheus metrics over HTTP; root's, and the configured group's. */
  metricsSocket: string;
  recorderSocket(id: string): string;
}

/** Lays out the paths for a state directory. */
export function layOutPaths(stateDirectory: string, run: string = RUN_DIRECTORY): Paths {
  const privateRun = join(run, "agent");
  return {
    hostKey: join(stateDirectory, "host.key"),
    spool: join(stateDirectory, "spool"),
    rejected: join(stateDirectory, "spool", "rejected"),
    kept: join(stateDirectory, "spool", "kept"),
    bundle: join(stateDirectory, "bundle.jws"),
    clock: join(stateDirectory, "clock.json"),
    clockAccepted: join(stateDirectory, "clock-accepted"),
    lastGoodPolicies: join(stateDirectory, "local-policy"),
    accountNotes: join(stateDirectory, "account-notes"),
    outbox: join(stateDirectory, "events.jsonl"),
    jwks: join(stateDirectory, "jwks"),
    run,
    principalsSocket: join(run, "principals.sock"),
    sessionSocket: join(run, "session.sock"),
    privateRun,
    controlSocket: join(privateRun, "control.sock"),
    agentLock: join(privateRun, "agent.lock"),
    logins: join(privateRun, "logins"),
    statusSocket: join(privateRun, "status.sock"),
    metricsSocket: join(run, "metrics.sock"),
    recorderSocket: (id) => join(run, `recorder-${id}.sock`),
  };
}
