import type { AddressInfo, Server } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { SallyportError } from "@sallyport/core/errors.ts";
import { ApprovalWork } from "./approvals/approval-work.ts";
import { type AuditLog, openAuditLog } from "./audit/audit-log.ts";
import { AuditStreams } from "./audit/streams/audit-streams.ts";
import { ActiveChecks } from "./checks/active-checks.ts";
import { silentIssuers } from "./checks/silent-issuers.ts";
import type { Configuration } from "./config/configuration.ts";
import { undeliveredEvents } from "./database/audit-streams.ts";
import { listEngagements } from "./database/engagements.ts";
import { listMembers } from "./database/members.ts";
import { HintMerger } from "./directory-notices/hint-merger.ts";
import type { Environment } from "./environment.ts";
import { ConnectedHosts } from "./hosts/connected-hosts.ts";
import { acceptLinks } from "./hosts/link/accept-links.ts";
import { RevocationList } from "./hosts/link/revocation-list.ts";
import { StoredAcknowledgements } from "./hosts/link/stored-acknowledgements.ts";
import { createApp } from "./http/app.ts";
import { RateLimit } from "./http/rate-limit.ts";
import { fetchJwks } from "./issuers/fetch-jwks.ts";
import { IssuerKeys } from "./issuers/issuer-keys.ts";
import { KeyWatch } from "./keys/key-watch.ts";
import { makeHttpServer } from "./listen/http-server.ts";
import { RevocationKeys } from "./logout/revocation-keys.ts";
import { Metrics } from "./metrics/metrics.ts";
import { NoticeSender } from "./notices/notice-sender.ts";
import { policyCounts } from "./policy/apply-policy.ts";
import { applyPolicyFile } from "./policy/apply-policy-file.ts";
import { Bundles } from "./policy/bundles.ts";
import { revocationsForOlderHosts } from "./policy/for-older-hosts.ts";
import { RecordingStore } from "./recordings/recording-store.ts";
import { Retention } from "./recordings/retention.ts";
import { ReplicatedHosts } from "./replication/replicated-hosts.ts";
import { SecurityEvents } from "./security-events/security-events.ts";
import { openStore, type Store, type StoreOptions } from "./store.ts";

/** A control plane that serves. */
export interface RunningControlPlane {
  url: string;
  /** Reads the policy file again and tells hosts what changed. */
  reloadPolicy(): Promise<void>;
  /** Takes the TLS files as they are now. */
  reloadTls(): void;
  /** Ends links and requests, then closes the database. */
  close(): Promise<void>;
}

/** What a control plane is started with. */
export interface ControlPlaneOptions extends StoreOptions {
  config: Configuration;
  environment: Environment;
}

/** Starts the control plane; it answers requests when this resolves. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<RunningControlPlane> {
  const { config: configured, environment, databaseUrl } = options;
  const store = await openStore(options);
  try {
    const { db, keys } = store;
    const auditLog = await openAuditLog({ db, environment, ring: keys.ring, url: configured.url });
    await loadPolicy(configured, store, environment);
    return await serve(configured, store, auditLog, environment, databaseUrl);
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
  databaseUrl: string | undefined,
): Promise<RunningControlPlane> {
  const { server, tls } = makeHttpServer(configured, environment.log);
  const { db, keys } = store;
  const { clock } = environment;
  const revocationList = new RevocationList(db);
  const acknowledgements = new StoredAcknowledgements({ db, environment });
  const local = new ConnectedHosts({
    list: revocationList,
    older: async (entries) => {
      const policy = { members: await listMembers(db), engagements: await listEngagements(db) };
      return revocationsForOlderHosts(db, policy, entries);
    },
  });
  const replicated =
    databaseUrl === undefined
      ? undefined
      : new ReplicatedHosts({ db, url: databaseUrl, log: environment.log, local, acknowledgements });
  const hosts = replicated ?? local;
  await replicated?.start();
  // From here to the last handler nothing may be awaited: what comes in between would never be answered.
  const port = await listen(server, configured.listen).catch(async (error: unknown) => {
    await replicated?.close();
    throw error;
  });
  const config = { ...configured, url: configured.url.replace(/:0$/, `:${port}`) };
  const issuerKeys = new IssuerKeys({
    issuers: config.issuers,
    clock,
    log: environment.log,
    fetch: fetchJwks,
  });
  const rateLimit = new RateLimit(clock, config.rateLimit);
  const callerLimit = new RateLimit(clock, config.rateLimit.caller, "with your sign-in or token");
  const failureLimit = new RateLimit(clock, config.rateLimit.failures);
  const metrics = new Metrics({ db, clock, hosts: local });
  const recordings = new RecordingStore({ db, environment, places: store.places });
  const retention = new Retention({ db, environment, places: store.places, rules: config.retention });
  const bundles = new Bundles({
    ...{ db, clock, keys, lease: config.lease },
    silentIssuers: () => silentIssuers(db),
  });
  const checks = new ActiveChecks({ ...store, environment, config, issuerKeys, hosts });
  const hints = new HintMerger(checks);
  const revocationKeys = new RevocationKeys(environment, config.issuers, issuerKeys);
  const securityEvents = new SecurityEvents({
    ...{ db, environment, hosts, checks, url: config.url },
    issuers: config.issuers,
  });
  const app = createApp({
    ...store,
    securityEvents,
    checks,
    hints,
    environment,
    config,
    issuerKeys,
    revocationKeys,
    hosts,
    rateLimit,
    callerLimit,
    failureLimit,
    metrics,
    auditLog,
  });
  server.on("request", getRequestListener(app.fetch, { overrideGlobalObjects: false }));
  const { lease, url } = config;
  const links = acceptLinks(server, {
    db,
    environment,
    config,
    keys,
    bundles,
    recordings,
    lease,
    url,
    connected: hosts,
    revocationList,
    acknowledgements,
    acknowledgedAfter: (after) => metrics.acknowledged(after),
    received: (bytes) => metrics.received(bytes),
  });
  metrics.watchQueues(() => ({ recordings: recordings.waiting }));
  metrics.watchQueues(() => undeliveredEvents(db));
  await metrics.start();
  issuerKeys.start();
  securityEvents.start();
  await checks.start();
  revocationKeys.start();
  tls?.start();
  auditLog.start();
  const keyWatch = new KeyWatch({ db, environment, config, keys }, () => local.tellKeys());
  keyWatch.start();
  const approvals = new ApprovalWork({ db, environment, config });
  approvals.start();
  const auditStreams = new AuditStreams({ db, environment }, config.auditStreams);
  auditStreams.start();
  retention.start();
  const notices = new NoticeSender({ db, environment, config: config.notices, url });
  notices.start();
  return {
    url,
    reloadPolicy: async () => {
      await loadPolicy(config, store, environment);
      await hosts.publishBundles();
    },
    reloadTls: () => tls?.reload(),
    close: async () => {
      issuerKeys.stop();
      const eventsClosed = securityEvents.close();
      revocationKeys.stop();
      hints.stop();
      await keyWatch.close();
      await checks.close();
      tls?.stop();
      const closed = new Promise((resolve) => server.close(resolve));
      await links.close();
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), 3000);
      await closed;
      clearTimeout(cut);
      await acknowledgements.close();
      await replicated?.close();
      await eventsClosed;
      await recordings.idle();
      await retention.close();
      await notices.stop();
      await approvals.close();
      await auditStreams.close();
      await auditLog.close();
      await db.destroy();
    },
  };
}

async function loadPolicy(config: Configuration, { db }: Store, environment: Environment): Promise<void> {
  const changes = await applyPolicyFile(db, environment, config);
  if (changes !== undefined)
    environment.log.info("policy applied", { file: config.policyFile, ...policyCounts(changes) });
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
