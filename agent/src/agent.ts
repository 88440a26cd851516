import type { KeyObject } from "node:crypto";
import { chmodSync, mkdirSync, rmSync, statfsSync } from "node:fs";
import type { Server } from "node:net";
import { availableParallelism } from "node:os";
import type { SessionId } from "@sallyport/core/names.ts";
import { Outbox } from "@sallyport/uplink/events/outbox.ts";
import type { Logger } from "winston";
import type { AgentConfig } from "./configuration/agent-config.ts";
import type { Paths } from "./configuration/paths.ts";
import type { PinnedTrust } from "./configuration/pinned-trust.ts";
import { ControlPlaneSync } from "./control-plane/control-plane-sync.ts";
import { loginEvent, sessionEndedEvent, troubleEvent } from "./events.ts";
import { Accounts } from "./logins/accounts.ts";
import { Decider } from "./logins/decide.ts";
import { LoginRegistry } from "./logins/login-registry.ts";
import { createPrincipalsServer } from "./logins/principals-server.ts";
import { JwksCache } from "./policy/jwks-cache.ts";
import { PolicyStore } from "./policy/policy-store.ts";
import { RecorderPool } from "./recorders/recorder-pool.ts";
import { recover, recoverForgotten, recoverOrphans } from "./recordings/recovery.ts";
import { endLoginsThatMust } from "./sessions/end-logins.ts";
import { createSessionServer } from "./sessions/session-server.ts";
import { SessionSupervisor } from "./sessions/session-supervisor.ts";

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
  /** Uid of sshd's user for us. */
  sshdUid: number;
  /** Seconds since the epoch. */
  now(): number;
  log: Logger;
}

/** The agent, put together. `start` returns when logins are answered. */
export async function startAgent(settings: AgentSettings): Promise<{ stop(): void }> {
  const { config, paths, pinned, log, now } = settings;
  // Every account's shim must reach the sockets here; what is in `agent` below is root's alone.
  mkdirSync(paths.run, { recursive: true });
  chmodSync(paths.run, 0o755);
  for (const directory of [paths.spool, paths.rejected, paths.privateRun])
    mkdirSync(directory, { recursive: true, mode: 0o700 });

  const outbox = new Outbox(paths.outbox);
  const accounts = new Accounts();
  const logins = new LoginRegistry(paths.logins);
  const policy = new PolicyStore(paths.bundle, pinned.host.id, pinned.trust.policyKeys);
  await policy
    .load()
    .catch((error: unknown) => log.error("the stored policy is not usable", { error: String(error) }));
  const issuers = pinned.trust.issuers.map((issuer) => issuer.issuer);
  const jwks = new JwksCache(paths.jwks, issuers, (message) => log.warn(message));

  const pool: RecorderPool = new RecorderPool({
    version: settings.version,
    controlSocket: paths.controlSocket,
    size: config.recorders || availableParallelism(),
    command: settings.recorderCommand,
    log,
    onHello: (sessions, recorder) => {
      for (const live of sessions) supervisor.add(live);
      recoverForgotten(recovery, recorder, new Set(sessions.map((live) => live.session)));
    },
    onMessage: (message) => {
      if (message.type === "started") supervisor.add(message.live);
      else if (message.type === "sealed") sync.uploader.offer(message.session, message.sequence + 1);
      else {
        supervisor.remove(message.session);
        if (message.type === "ended") sync.uploader.offerAll(message.session);
        else recordingFailed(message.session, message.message);
      }
    },
    onLost: (sessions, recorder) => {
      log.error("a recorder has died", { ...recorder, sessions: sessions.length });
      for (const { session } of sessions) {
        supervisor.remove(session);
        recover(recovery, session, "recorder-lost");
      }
    },
  });
  const supervisor = new SessionSupervisor({
    pool,
    policy,
    now,
    onEnded: (live, code, detail, told) => {
      log.info("session ended by policy", { session: live.session, code, detail });
      outbox.add(sessionEndedEvent(live, code, detail, told));
    },
  });
  const sync = new ControlPlaneSync({
    server: pinned.trust.controlPlane,
    hostId: pinned.host.id,
    hostKey: settings.hostKey,
    version: settings.version,
    spool: paths.spool,
    rejected: paths.rejected,
    policy,
    jwks,
    endWhatMust: async () => {
      const endedSessions = await supervisor.endWhatMust();
      await endLoginsThatMust(logins, policy, now());
      return endedSessions;
    },
    liveSessions: () => supervisor.sessions.map((live) => live.session),
    outbox,
    log,
  });
  const recovery = {
    spool: paths.spool,
    rejected: paths.rejected,
    hostKey: settings.hostKey,
    onClosed: (recording: SessionId, recovered: { sealed: number; discarded: number } | null) => {
      if (recovered !== null) {
        log.warn("a recording was closed after its recorder was lost", { recording, ...recovered });
        outbox.add(
          troubleEvent("recording-recovered", recording, "recorder-lost", JSON.stringify(recovered)),
        );
      }
      sync.uploader.offerAll(recording);
    },
    onDamaged: (recording: SessionId, error: unknown) => {
      log.error("a recording makes no sense and was set aside", { recording, error: String(error) });
      outbox.add(troubleEvent("recording-damaged", recording, "recording-malformed", String(error)));
    },
  };
  const recordingFailed = (recording: SessionId, message: string): void => {
    log.error("a session could not be recorded any longer and was ended", { recording, message });
    outbox.add(troubleEvent("trouble", recording, "spool-failed", message));
    recover(recovery, recording, "spool-failed");
  };
  const decider = new Decider({
    trust: pinned.trust,
    jwks,
    now,
    condition: () => ({
      bundle: policy.bundle,
      leaseUntil: policy.leaseUntil,
      revocations: policy.revocations,
      recorderReady: pool.expected,
      spoolReserveFree: freeMebibytes(paths.spool) >= config.diskReserve,
      accountUnsafe: (account) => accounts.unsafe(account, config.shim),
      sessionsOf: (memberId) =>
        supervisor.sessions.filter((live) => live.start.member.id === memberId).length,
    }),
  });
  const principals = createPrincipalsServer({
    decider,
    logins,
    accounts,
    sshd: config.sshd,
    sshdUid: settings.sshdUid,
    shim: config.shim,
    now,
    log,
    onDecision: (login, answer) => {
      const event = loginEvent(login, answer);
      log.info("login", {
        outcome: answer.outcome,
        account: event.account,
        code: event.code,
        detail: event.detail,
        memberId: event.memberId,
        source: event.sourceAddress,
        serial: event.certificateSerial,
        monitor: login.monitor.pid,
      });
      outbox.add(event);
    },
  });
  const sessions = createSessionServer({
    logins,
    accounts,
    decider,
    pool,
    host: pinned.host,
    sshd: config.sshd,
    shim: config.shim,
    shell: config.shell,
    log,
    onRefused: (login, code, detail) =>
      log.info("session refused", { account: login?.account, code, detail }),
  });

  pool.start(ADOPT_MS);
  recoverOrphans(recovery);
  jwks.start(config.jwksRefresh);
  sync.start();
  const sweep = setInterval(() => {
    logins.sweep();
    void endLoginsThatMust(logins, policy, now());
  }, SWEEP_MS);
  await listen(principals, paths.principalsSocket);
  await listen(sessions, paths.sessionSocket);
  log.info("ready", { host: pinned.host.name, version: settings.version });
  return {
    stop() {
      clearInterval(sweep);
      principals.close();
      sessions.close();
      jwks.stop();
      sync.stop();
      pool.stop();
      outbox.sync();
    },
  };
}

/** Any account may connect; who it is, SO_PEERCRED tells. */
function listen(server: Server, path: string): Promise<void> {
  rmSync(path, { force: true });
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(path, () => {
      chmodSync(path, 0o666);
      resolve();
    });
  });
}

function freeMebibytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return (bavail * bsize) / (1024 * 1024);
}
