import type { KeyObject } from "node:crypto";
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import type { Server } from "node:net";
import { availableParallelism } from "node:os";
import type { SessionId } from "@sallyport/core/names.ts";
import { Outbox } from "@sallyport/uplink/events/outbox.ts";
import type { Logger } from "winston";
import { openPersonalAccounts } from "./accounts/open-personal-accounts.ts";
import { openClock } from "./clock/open-clock.ts";
import type { TimeSource } from "./clock/time-source.ts";
import type { AgentConfig } from "./configuration/agent-config.ts";
import type { Paths } from "./configuration/paths.ts";
import type { PinnedTrust } from "./configuration/pinned-trust.ts";
import { ControlPlaneSync } from "./control-plane/control-plane-sync.ts";
import { keyFiles } from "./enrolment/sshd-drop-in.ts";
import { HostFactsKeeper } from "./facts/host-facts.ts";
import { HostCertificates } from "./host-certificates/host-certificates.ts";
import type { ProcessIdentity } from "./kernel/processes.ts";
import { Accounts } from "./logins/accounts.ts";
import { AdmissionTrail } from "./logins/admission-trail.ts";
import { Decider } from "./logins/decide.ts";
import { LoginRegistry } from "./logins/login-registry.ts";
import { createPrincipalsServer } from "./logins/principals-server.ts";
import { agentMetrics } from "./metrics/agent-metrics.ts";
import { beTheOnlyAgent } from "./only-agent.ts";
import { JwksCache } from "./policy/jwks-cache.ts";
import { openLocalPolicies } from "./policy/open-local-policies.ts";
import { PolicyStore } from "./policy/policy-store.ts";
import { RevokedKeys } from "./policy/revoked-keys.ts";
import { RecorderPool } from "./recorders/recorder-pool.ts";
import { recover, recoverForgotten, recoverLost, recoverOrphans } from "./recordings/recovery.ts";
import { Reports } from "./reports.ts";
import { endLoginsThatMust } from "./sessions/end-logins.ts";
import { isGenuineShim } from "./sessions/genuine-shim.ts";
import { LoginGuard } from "./sessions/guard-logins.ts";
import { openAccountRemains } from "./sessions/open-account-remains.ts";
import { createSessionServer } from "./sessions/session-server.ts";
import { SessionSupervisor } from "./sessions/session-supervisor.ts";
import { SessionTrail } from "./sessions/session-trail.ts";
import { openSpool } from "./spool/open-spool.ts";
import { agentStatus } from "./status/agent-status.ts";
import { serveHealth } from "./status/serve-health.ts";
import { PinnedKeys } from "./trust/pinned-keys.ts";

/** Time for recorders of an agent before us to come back, before new ones are started. */
const ADOPT_MS = 300;
const SWEEP_MS = 30_000;

export interface AgentSettings {
  config: AgentConfig;
  paths: Paths;
  pinned: PinnedTrust;
  hostKey: KeyObject;
  /** Version of this program; recorders of another one drain. */
  version: string;
  /** Program and arguments that start a recorder. */
  recorderCommand(id: string): [string, string[]];
  /** Program and arguments that print facts about this host. */
  factsCommand: [string, string[]];
  /** Uid of sshd's user for us. */
  sshdUid: number;
  /** The host's clocks. */
  time: TimeSource;
  /** Sockets that somebody listens on for us, by `principals` and `session`: connections wait in them while no agent runs. */
  sockets: ReadonlyMap<string, number>;
  log: Logger;
}

/** The agent, put together. `start` returns when logins are answered. */
export async function startAgent(settings: AgentSettings): Promise<{ stop(): void }> {
  const { config, paths, pinned, log } = settings;
  // Every account's shim must reach the sockets here; what is in `agent` below is root's alone.
  mkdirSync(paths.run, { recursive: true });
  chmodSync(paths.run, 0o755);
  for (const directory of [paths.spool, paths.rejected, paths.privateRun])
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  beTheOnlyAgent(paths.agentLock);

  const outbox = new Outbox(paths.outbox);
  const { clock, skew } = openClock({ time: settings.time, paths, outbox, log });
  const now = () => clock.now();
  const accounts = new Accounts();
  const logins = new LoginRegistry(paths.logins);
  const policy = new PolicyStore(paths.bundle, pinned.host.id, pinned.trust.policyKeys, now);
  await policy
    .load()
    .catch((error: unknown) => log.error("the stored policy is not usable", { error: String(error) }));
  clock.signedAt(policy.signedAt);
  const keys = new PinnedKeys({
    file: config.trustFile,
    userCaKeys: keyFiles(config).userCaKeys,
    pinned,
    policySignedBy: () => policy.signedBy,
  });
  keys.start();
  const revokedKeys = new RevokedKeys({
    ...{ file: keyFiles(config).revokedKeys, list: policy.list, now },
    userCaKeys: () => keys.trust.userCaKeys,
    onError: (error) => log.error("sshd's list of revoked keys cannot be written", { error }),
  });
  revokedKeys.start();
  const hostCertificates = new HostCertificates({
    ...{ dropIn: config.sshdDropIn, sshd: config.sshd, hostName: pinned.host.name },
    trust: () => keys.trust,
    now,
  });
  const personal = openPersonalAccounts({ config, accounts, policy, logins, now, outbox, log });
  const endWhatMust = async (): Promise<SessionId[]> => {
    personal.sync();
    const endedSessions = await supervisor.endWhatMust();
    await endLoginsThatMust(logins, policy, now(), (monitor) => guard.endLogin(monitor));
    // Somebody else may have begun with a session that is revoked: what is acknowledged after this has ended.
    await guard.endingsOver();
    return endedSessions;
  };
  const local = openLocalPolicies({ config, paths, outbox, log, onChanged: () => void endWhatMust() });
  policy.local = () => local.forSessions;
  const issuers = pinned.trust.issuers.map((issuer) => issuer.issuer);
  const jwks = new JwksCache(
    paths.jwks,
    issuers,
    (message) => log.warn(message),
    (issuer, seconds) => skew.note(issuer, seconds),
  );

  const facts = new HostFactsKeeper(settings.factsCommand, (message) => log.warn(message));
  const metrics = agentMetrics(() => describe());
  const reports = new Reports({ log, outbox, metrics });
  const sessionTrail = new SessionTrail(Date.now, (event) => outbox.add(event));

  const pool: RecorderPool = new RecorderPool({
    version: settings.version,
    controlSocket: paths.controlSocket,
    size: config.recorders || availableParallelism(),
    command: settings.recorderCommand,
    log,
    onHello: (sessions, recorder) => {
      for (const live of sessions) supervisor.add(live);
      recoverForgotten(recovery, recorder, () => new Set(pool.sessions.map((live) => live.session)));
    },
    onMessage: (message) => {
      metrics.noteRecorder(message);
      if (message.type === "event") {
        const live = pool.session(message.session);
        return live === undefined ? undefined : sessionTrail.note(live, message.event);
      }
      spool.changed(message.type === "started" ? message.live.session : message.session);
      if (message.type === "started") supervisor.add(message.live);
      else if (message.type === "sealed") sync.uploader.offer(message.session, message.sequence + 1);
      else if (message.type !== "lapsed") {
        const live = supervisor.remove(message.session);
        sessionTrail.over(message.session);
        if (live !== undefined) guard.sessionOver(live);
        if (message.type === "ended") sync.uploader.offerAll(message.session);
        else recordingFailed(message.session, message.message);
      }
    },
    onLost: (sessions, recorder) => {
      log.error("a recorder has died", { ...recorder, sessions: sessions.length });
      for (const { session } of sessions) {
        supervisor.remove(session);
        sessionTrail.over(session);
        metrics.sessionEnded("recorder-lost");
      }
      const held = sessions.map(({ session }) => session);
      recoverLost(recovery, recorder, held);
    },
  });
  const guard = new LoginGuard({
    ...{ logins, hostId: pinned.host.id, sshd: config.sshd, shim: config.shim },
    shims: () => pool.sessions.map((live) => live.shim),
    onKilled: (...killed) => reports.processesKilled(...killed),
    onOver: (login) => remains.over(login),
    onForward: (...forwarded) => reports.forwarded(...forwarded),
  });
  const remains = openAccountRemains({ paths, logins, sshd: config.sshd, personal, outbox, log });
  const supervisor = new SessionSupervisor({
    pool,
    policy,
    now,
    endLogin: (monitor) => guard.endLogin(monitor),
    onEnded: (...ended) => reports.sessionEndedByPolicy(...ended),
  });
  const { watch: spool, space } = openSpool({
    ...{ config, paths, outbox, pool, log },
    liveSessions: () => supervisor.sessions,
  });
  const sync = new ControlPlaneSync({
    server: pinned.trust.controlPlane,
    hostId: pinned.host.id,
    hostKey: settings.hostKey,
    version: settings.version,
    spool: paths.spool,
    rejected: paths.rejected,
    kept: config.localRetention > 0 ? paths.kept : null,
    onSpoolChanged: (recording) => spool.changed(recording),
    onRefused: (recording, reason) => reports.recordingRejected(recording, reason),
    spoolBytes: () => spool.bytes,
    ...{ policy, keys, hostCertificates, jwks, clock, skew, endWhatMust },
    onRevocations: () => revokedKeys.writeSoon(),
    liveSessions: () => supervisor.sessions.map((live) => live.session),
    facts: () => facts.current,
    onBlockSent: () => metrics.blockUploaded(),
    outbox,
    log,
  });
  const recovery = {
    spool: paths.spool,
    rejected: paths.rejected,
    hostKey: settings.hostKey,
    onClosed: (recording: SessionId, recovered: { sealed: number; discarded: number } | null) => {
      if (recovered !== null) reports.recordingRecovered(recording, recovered);
      spool.changed(recording);
      sync.uploader.offerAll(recording);
    },
    onDelayed: (recording: SessionId, error: unknown) => reports.recordingDelayed(recording, error),
    hasRoom: () => space.roomToClose,
    isConnected: (recorder: ProcessIdentity) => pool.processes.some(({ pid }) => pid === recorder.pid),
    onDamaged: (recording: SessionId, error: unknown, stuck?: unknown) => {
      reports.recordingDamaged(recording, error, stuck);
      spool.changed(recording);
    },
  };
  const recordingFailed = (recording: SessionId, message: string): void => {
    reports.recordingFailed(recording, message);
    recover(recovery, recording, "spool-failed");
  };
  const describe = agentStatus({
    ...{ version: settings.version, config, paths, pinned, policy, jwks },
    ...{ pool, supervisor, sync, outbox, now },
    clock: () => ({ setBack: !clock.state().trusted, skew: skew.skew() }),
    localPolicy: () => local.state(),
  });
  const decider = new Decider({
    onDecided: (seconds) => metrics.decided(seconds),
    get trust() {
      return keys.trust;
    },
    jwks,
    now,
    condition: () => ({
      bundle: policy.bundle,
      clock: clock.state(),
      local: local.forLogins,
      leaseUntil: policy.leaseUntil,
      revocations: policy.revocations,
      recorderReady: pool.expected,
      spoolReserveFree: spool.admits,
      accountUnsafe: (account) => personal.unsafe(account) ?? accounts.unsafe(account, config.shim),
      sessionsOf: (memberId) => pool.sessions.filter((live) => live.start.member.id === memberId).length,
    }),
  });
  const trail = new AdmissionTrail({ sshd: config.sshd, add: (event) => outbox.add(event) });
  const principals = createPrincipalsServer({
    decider,
    logins,
    accounts,
    sshd: config.sshd,
    sshdUid: settings.sshdUid,
    shim: config.shim,
    now,
    log,
    onAdmitted: async (login) => {
      remains.admitted(login);
      await guard.admitted(login, accounts.unsafe(login.account, config.shim) === null);
    },
    onDecision: (login, answer) => reports.loginDecided(login, answer, trail),
  });
  const sessions = createSessionServer({
    logins,
    accounts,
    decider,
    localPolicies: () => local.forLogins,
    pool,
    host: pinned.host,
    sshd: config.sshd,
    shim: config.shim,
    isShim: (process) => isGenuineShim(process, config.shim),
    shell: config.shell,
    durability: config.durability,
    onLetIn: (login) => trail.letIn(login.monitor),
    onAdmitted: (login) => remains.admitted(login),
    settle: (login, shim, shellIsSafe) => guard.settle(login, shim, shellIsSafe),
    log,
    onRefused: (...refused) => reports.sessionRefused(...refused),
  });

  pool.start(ADOPT_MS);
  void spool.start(); // logins need not wait: what is free is asked each time, only the limit is judged a moment later
  void recoverOrphans(recovery);
  clock.start();
  local.start();
  jwks.start(config.jwksRefresh);
  facts.start();
  personal.sync();
  sync.start();
  remains.start();
  guard.start();
  // What an agent before us took in and did not come to.
  void endWhatMust();
  const sweep = setInterval(() => {
    void endLoginsThatMust(logins, policy, now(), (monitor) => guard.endLogin(monitor));
  }, SWEEP_MS);
  await listen(principals, paths.principalsSocket, settings.sockets.get("principals"));
  await listen(sessions, paths.sessionSocket, settings.sockets.get("session"));
  const stopHealth = await serveHealth({ paths, config, describe, metrics, log });
  log.info("ready", { host: pinned.host.name, version: settings.version });
  return {
    stop() {
      clearInterval(sweep);
      trail.stop();
      guard.stop();
      remains.stop();
      spool.stop();
      principals.close();
      sessions.close();
      stopHealth();
      facts.stop();
      personal.stop();
      clock.stop();
      local.stop();
      jwks.stop();
      sync.stop();
      revokedKeys.stop();
      policy.list.close();
      pool.stop();
      outbox.sync();
    },
  };
}

/** Any account may connect; who it is, SO_PEERCRED tells. */
function listen(server: Server, path: string, inherited?: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    if (inherited !== undefined) {
      server.listen({ fd: inherited }, resolve);
      return;
    }
    rmSync(path, { force: true });
    server.listen(path, () => {
      chmodSync(path, 0o666);
      resolve();
    });
  });
}
