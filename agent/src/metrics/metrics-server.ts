import { chmodSync, chownSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { Metrics } from "./metrics.ts";

const TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 16;

/**
 * Serves `GET /metrics` as HTTP on a Unix socket: mode 0600, or 0660 for a group. Resolves when it listens.
 * Code `config-invalid` when there is no such group.
 */
export async function serveMetrics(path: string, metrics: Metrics, group: string | null): Promise<Server> {
  const gid = group === null ? null : groupId(group);
  const server = createServer((request, response) => {
    if (request.method !== "GET" || request.url !== "/metrics") {
      response.writeHead(404).end();
      return;
    }
    metrics.text().then(
      (text) => response.writeHead(200, { "content-type": metrics.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  server.requestTimeout = TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  rmSync(path, { force: true });
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(path, () => {
      if (gid !== null) chownSync(path, 0, gid);
      chmodSync(path, gid === null ? 0o600 : 0o660);
      resolve(server);
    });
  });
}

function groupId(name: string): number {
  const lines = readFileSync("/etc/group", "utf8").split("\n");
  const id = lines.map((line) => line.split(":")).find(([group]) => group === name)?.[2];
  if (id === undefined)
    throw new SallyportError("config-invalid", `metricsGroup: there is no group ${name} on this host.`);
  return Number(id);
}
