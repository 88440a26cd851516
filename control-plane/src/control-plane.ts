import type { Server } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { SallyportError } from "@sallyport/core/errors.ts";
import { type AuditLog, openAuditLog } from "./audit/audit-log.ts";
import type { Configuration } from "./config/configuration.ts";
import { readConfigFile } from "./config/load-configuration.ts";
import type { Environment } from "./environment.ts";
import { ConnectedHosts } from "./hosts/connected-hosts.ts";
import { acceptLinks } from "./hosts/link/accept-links.ts";
import { createApp } from "./http/app.ts";
import { RateLimit } from "./http/rate-limit.ts";
import { fetchJwks } from "./issuers/fetch-jwks.ts";
import { IssuerKeys } from "./issuers/issuer-keys.ts";
import { applyPolicy } from "./policy/apply-policy.ts";
import { Bundles } from "./policy/bundles.ts";
import { RecordingStore } from "./recordings/recording-store.ts";
import { openStore, type Store } from "./store.ts";

/** A control plane that serves. */
export interface RunningControlPlane {
  url: string;
  /** Reads the policy file again and tells hosts what changed. */
  reloadPolicy(): Promise<void>;
  /** Ends links and requests, then closes the database. */
  close(): Promise<void>;
}

/** Starts the control plane; it answers requests when this resolves. */
export async function startControlPlane(
  configured: Configuration,
  environment: Environment,
): Promise<RunningControlPlane> {
  const store = await openStore(configured);
  try {
    const { db, keysDirectory: directory } = store;
    const auditLog = await openAuditLog({ db, environment, directory, url: configured.url });
    await loadPolicy(configured, store, environment);
    return await serve(configured, store, auditLog, environment);
  } catch (error) {
    await store.db.destroy();
    throw error;
  }
}

async function serve(
  configured: Configuration,
  store: Store,
  auditLog: AuditLog,
  environment: Environment,
): Promise<RunningControlPlane> {
  const server = createServer();
  const port = await listen(server, configured.listen);
  const config = { ...configured, url: configured.url.replace(/:0$/, `:${port}`) };
  const { db, keys } = store;
  const { clock } = environment;
  const hosts = new ConnectedHosts();
  const issuerKeys = new IssuerKeys({
    issuers: config.issuers,
    clock,
    log: environment.log,
    fetch: fetchJwks,
  });
  const rateLimit = new RateLimit(clock, config.rateLimit);
  const recordings = new RecordingStore({ db, environment, directory: store.recordingsDirectory });
  const bundles = new Bundles({ db, clock, policyKey: keys.policy, lease: config.lease });
  const app = createApp({ ...store, environment, config, issuerKeys, hosts, rateLimit, auditLog });
  server.on("request", getRequestListener(app.fetch, { overrideGlobalObjects: false }));
  const { lease, url } = config;
  const links = acceptLinks(server, { db, environment, bundles, recordings, lease, url, connected: hosts });
  issuerKeys.start();
  auditLog.start();
  return {
    url,
    reloadPolicy: async () => {
      await loadPolicy(config, store, environment);
      await hosts.publishBundles();
    },
    close: async () => {
      issuerKeys.stop();
      const closed = new Promise((resolve) => server.close(resolve));
      await links.close();
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), 3000);
      await closed;
      clearTimeout(cut);
      await recordings.idle();
      await auditLog.close();
      await db.destroy();
    },
  };
}

async function loadPolicy(config: Configuration, { db }: Store, environment: Environment): Promise<void> {
  const file = config.policyFile;
  if (file === undefined) return;
  const applied = await applyPolicy(db, environment, { text: readConfigFile(file), file });
  environment.log.info("policy applied", { file, ...applied });
}

function listen(server: Server, { address, port }: Configuration["listen"]): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === "EADDRINUSE"
          ? `port ${port} on ${address} is taken by another program; stop it or choose another \`listen.port\``
          : `cannot listen on ${address} port ${port} (${cause.code})`;
      reject(new SallyportError("internal", `The control plane cannot start: ${why}.`, { cause }));
    });
    server.listen(port, address, () => resolve((server.address() as AddressInfo).port));
  });
}
