import { join } from "node:path";
import { CLONE } from "./light-host/agent.ts";
import { until } from "./light-host/until.ts";
import { Program, runProgram } from "./processes.ts";

const MAIN = [process.execPath, join(CLONE, "control-plane/src/main.ts")];
const READY_WITHIN_MS = 30_000;

/** Starts the control plane; {@link controlPlaneReady} tells when it answers. */
export function startControlPlane(configuration: string, log: string): Program {
  return new Program("control plane", [...MAIN, "serve", "--config", configuration], log);
}

/** Waits until the control plane answers at `url`, or it has been `enough`. */
export async function controlPlaneReady(url: string, enough: AbortSignal): Promise<void> {
  const healthy = async () => {
    const response = await fetch(new URL("/healthz", url)).catch(() => undefined);
    await response?.arrayBuffer();
    return response?.ok ?? false;
  };
  if (!(await until(async () => enough.aborted || (await healthy()), READY_WITHIN_MS)))
    throw new Error(`The control plane did not answer at ${url} within ${READY_WITHIN_MS / 1000} s.`);
}

/** Has the control plane make a join token for a host. */
export async function makeJoinToken(
  configuration: string,
  host: { name: string; address: string; port: number },
): Promise<string> {
  const words = [
    "--name",
    host.name,
    "--address",
    host.address,
    "--port",
    String(host.port),
    "--label",
    "env=demo",
  ];
  return (await runProgram([...MAIN, "join-token", "--config", configuration, ...words])).trim();
}
