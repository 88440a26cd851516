import { setTimeout as pause } from "node:timers/promises";
import { ControlPlaneLink } from "@sallyport/uplink/link/control-plane-link.ts";
import { until } from "../../demo/light-host/until.ts";
import { amount, type Figure } from "../figure.ts";
import { addFleet, type FleetHost } from "./fleet.ts";
import { startServer } from "./server.ts";

const TARGET_KB = 60;
const TARGET_SECONDS = 15;
const WITHIN_MS = 120_000;
/** For what connecting left behind to be collected. */
const SETTLE_MS = 10_000;
const REST_MS = 30_000;
/** As agents do. */
const HEARTBEAT_MS = 30_000;

/** Memory of an idle host's connection, and how long all hosts take to be back after the control plane was killed. */
export async function benchHosts(count = 2000): Promise<Figure[]> {
  const server = await startServer();
  const links: ControlPlaneLink[] = [];
  try {
    const db = await server.database();
    const fleet = await addFleet(db, count);
    await db.destroy();
    await server.restart();
    await pause(SETTLE_MS);
    const before = server.memory();
    const upToDate = new Set<string>();
    links.push(...fleet.map((host) => link(server.url, host, upToDate)));
    for (const one of links) one.start();
    if (!(await until(() => upToDate.size === count, WITHIN_MS)))
      throw new Error(`${upToDate.size} of ${count} hosts connected`);
    await pause(SETTLE_MS);
    const kilobytes = ((server.memory() - before) * 1000) / count;
    const spent = server.processorTime();
    const beats = setInterval(() => beat(links, count), 1000);
    await pause(REST_MS);
    clearInterval(beats);
    const share = ((server.processorTime() - spent) / REST_MS) * 100;
    upToDate.clear();
    await server.restart();
    const begun = performance.now();
    if (!(await until(() => upToDate.size === count, WITHIN_MS)))
      throw new Error(`${upToDate.size} of ${count} hosts came back`);
    const seconds = (performance.now() - begun) / 1000;
    return [
      amount("hosts", `memory of an idle connection of ${count}`, "KB", kilobytes, TARGET_KB),
      amount("hosts", `processor time with ${count} idle hosts, of one core`, "%", share),
      amount("hosts", `all ${count} back after a restart, with a lease`, "s", seconds, TARGET_SECONDS),
    ];
  } finally {
    for (const one of links) one.close();
    await server.close();
  }
}

/** Every second a part of the hosts says that it is well. */
function beat(links: readonly ControlPlaneLink[], count: number): void {
  const part = Math.ceil((count * 1000) / HEARTBEAT_MS);
  const at = Math.floor(Math.random() * count);
  for (const one of links.slice(at, at + part))
    one.send({ type: "heartbeat", liveSessions: [], spoolBytes: 0, clock: Date.now() / 1000 });
}

function link(server: string, host: FleetHost, upToDate: Set<string>): ControlPlaneLink {
  let version = 0;
  const one: ControlPlaneLink = new ControlPlaneLink({
    server,
    hostId: host.id,
    hostKey: host.key,
    agentVersion: "bench",
    bundleVersion: () => version,
    revocationSequence: () => 0,
    revocationChain: () => "",
    onMessage: (message) => {
      if (message.type === "bundle") {
        version = versionOf(message.jws);
        one.send({ type: "bundle-ack", version });
      }
      if (message.type === "bundle" || message.type === "lease") upToDate.add(host.id);
    },
    onConnected: () => {},
    onDisconnected: () => {},
    onClock: () => {},
  });
  return one;
}

function versionOf(jws: string): number {
  const [, payload = ""] = jws.split(".");
  return (JSON.parse(Buffer.from(payload, "base64url").toString("utf8")) as { version: number }).version;
}
