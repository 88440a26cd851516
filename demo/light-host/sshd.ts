import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { logTail } from "./log-tail.ts";
import type { HostNamespace } from "./namespace.ts";
import { until } from "./until.ts";

const READY_WITHIN_MS = 15_000;

/** Starts sshd and waits until it listens. */
export async function startSshd(
  host: HostNamespace,
  directory: string,
  address: string,
  port: number,
): Promise<void> {
  const log = join(directory, "sshd.log");
  let ended = false;
  const end = host.reported((report) => report.event === "ended" && report.service === "sshd");
  end.then(
    () => (ended = true),
    () => (ended = true),
  );
  await host.startService("sshd", [
    ...["/usr/sbin/sshd", "-D", "-e", "-p", String(port), "-o", `ListenAddress=${address}`],
  ]);
  const listening = () => existsSync(log) && readFileSync(log, "utf8").includes("Server listening on");
  await until(() => ended || listening(), READY_WITHIN_MS);
  // The log, not a connection, tells: whoever else holds the port would answer a connection too.
  if (ended || !listening()) throw new Error(`sshd could not start on ${address}:${port}. ${logTail(log)}`);
}
