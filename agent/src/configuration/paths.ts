import { join } from "node:path";

/** The agent's sockets; the shim has the same directory compiled in. */
export const RUN_DIRECTORY = "/run/sallyport";

/** Every path that hangs on the state directory and the run directory. */
export interface Paths {
  hostKey: string;
  spool: string;
  rejected: string;
  bundle: string;
  outbox: string;
  jwks: string;
  run: string;
  principalsSocket: string;
  sessionSocket: string;
  /** 0700: what is below is root's alone. */
  privateRun: string;
  controlSocket: string;
  logins: string;
  recorderSocket(id: string): string;
}

/** Lays out the paths for a state directory. */
export function layOutPaths(stateDirectory: string, run: string = RUN_DIRECTORY): Paths {
  const privateRun = join(run, "agent");
  return {
    hostKey: join(stateDirectory, "host.key"),
    spool: join(stateDirectory, "spool"),
    rejected: join(stateDirectory, "rejected"),
    bundle: join(stateDirectory, "bundle.jws"),
    outbox: join(stateDirectory, "events.jsonl"),
    jwks: join(stateDirectory, "jwks"),
    run,
    principalsSocket: join(run, "principals.sock"),
    sessionSocket: join(run, "session.sock"),
    privateRun,
    controlSocket: join(privateRun, "control.sock"),
    logins: join(privateRun, "logins"),
    recorderSocket: (id) => join(run, `recorder-${id}.sock`),
  };
}
