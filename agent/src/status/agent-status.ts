import type { Outbox } from "@sallyport/uplink/events/outbox.ts";
import type { AgentConfig } from "../configuration/agent-config.ts";
import type { Paths } from "../configuration/paths.ts";
import type { PinnedTrust } from "../configuration/pinned-trust.ts";
import type { ControlPlaneSync } from "../control-plane/control-plane-sync.ts";
import type { JwksCache } from "../policy/jwks-cache.ts";
import type { PolicyStore } from "../policy/policy-store.ts";
import type { LiveSession } from "../recorders/control-messages.ts";
import type { RecorderPool } from "../recorders/recorder-pool.ts";
import { spoolUsage } from "./spool-usage.ts";
import { moment, type StatusDocument } from "./status-document.ts";

const MIB = 1024 * 1024;

/** The parts of a running agent that its status tells of. */
export interface StatusSources {
  version: string;
  config: Pick<AgentConfig, "diskReserve" | "inodeReserve" | "spoolLimit">;
  paths: Pick<Paths, "spool" | "rejected">;
  pinned: PinnedTrust;
  policy: Pick<PolicyStore, "aside" | "bundle" | "leaseUntil" | "list" | "revocations">;
  jwks: Pick<JwksCache, "get">;
  pool: Pick<RecorderPool, "recorders">;
  supervisor: { readonly sessions: LiveSession[] };
  sync: Pick<ControlPlaneSync, "linkState" | "revocations">;
  outbox: Pick<Outbox, "pending" | "dropped">;
  /** Seconds since the epoch. */
  now(): number;
  clock?(): StatusDocument["clock"];
  localPolicy?(): StatusDocument["localPolicy"];
}

/** Gives the function that describes the agent as it is at the moment of the call; `startedAt` is the moment of this one. */
export function agentStatus(sources: StatusSources): () => StatusDocument {
  const { version, config, paths, pinned, policy, now } = sources;
  const startedAt = moment(now());
  const limits = {
    reserveBytes: config.diskReserve * MIB,
    reserveInodes: config.inodeReserve,
    limitBytes: config.spoolLimit * MIB,
  };
  return () => {
    const { bundle, leaseUntil } = policy;
    return {
      v: 1,
      version,
      pid: process.pid,
      host: pinned.host,
      startedAt,
      policy: bundle && {
        version: bundle.version,
        issuedAt: moment(bundle.issuedAt),
        engagements: bundle.engagements.length,
      },
      lease: bundle && { until: moment(leaseUntil), seconds: Math.round(leaseUntil - now()) },
      revocationSequence: policy.revocations.sequence,
      revocations: {
        entries: policy.revocations.size,
        behind: sources.sync.revocations.behind,
        unvouched: policy.list.unvouched,
        aside: policy.aside,
      },
      sessions: sources.supervisor.sessions.map(describeSession),
      recorders: sources.pool.recorders.map((recorder) => {
        return { ...recorder, draining: recorder.version !== version };
      }),
      spool: { ...spoolUsage(paths.spool, paths.rejected), ...limits },
      uplink: { url: pinned.trust.controlPlane, ...linkMoments(sources.sync.linkState) },
      outbox: { waiting: sources.outbox.pending().length, dropped: sources.outbox.dropped },
      issuers: pinned.trust.issuers.map(({ issuer }) => {
        return { issuer, keys: sources.jwks.get(issuer)?.keys.length ?? 0 };
      }),
      clock: sources.clock?.() ?? null,
      localPolicy: sources.localPolicy?.() ?? null,
    };
  };
}

function describeSession({ session, start }: LiveSession): StatusDocument["sessions"][number] {
  return {
    id: session,
    member: start.member.name,
    engagement: start.engagement.name,
    account: start.account,
    kind: start.kind,
    since: moment(start.startedAt / 1000),
    sourceAddress: start.login.sourceAddress,
  };
}

function linkMoments(state: ControlPlaneSync["linkState"]): Omit<StatusDocument["uplink"], "url"> {
  const { connectedSince, lastContact, lastError } = state;
  return {
    connectedSince: connectedSince === null ? null : moment(connectedSince),
    lastContact: lastContact === null ? null : moment(lastContact),
    lastError,
  };
}
