import type { Server } from "node:net";
import type { Logger } from "winston";
import type { AgentConfig } from "../configuration/agent-config.ts";
import type { Paths } from "../configuration/paths.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { serveMetrics } from "../metrics/metrics-server.ts";
import type { StatusDocument } from "./status-document.ts";
import { serveStatus } from "./status-server.ts";

export interface Health {
  paths: Pick<Paths, "statusSocket" | "metricsSocket">;
  config: Pick<AgentConfig, "metricsGroup">;
  describe(): StatusDocument;
  metrics: Metrics;
  log: Logger;
}

/**
 * Serves status and metrics; resolves with what ends that. They tell and decide nothing: one that cannot be served is
 * logged, and logins go on.
 */
export async function serveHealth({ paths, config, describe, metrics, log }: Health): Promise<() => void> {
  const servers: Server[] = [];
  const keep = async (what: string, serving: Promise<Server>): Promise<void> => {
    try {
      servers.push(await serving);
    } catch (error) {
      log.error(`${what} cannot be served`, { error: String(error) });
    }
  };
  await keep("status", serveStatus(paths.statusSocket, describe));
  await keep("metrics", serveMetrics(paths.metricsSocket, metrics, config.metricsGroup));
  return () => {
    for (const server of servers) server.close();
  };
}
