import type { StatusDocument } from "../status/status-document.ts";
import { type MeasuredNow, Metrics } from "./metrics.ts";

/** The metrics of a running agent; what is not counted comes from its status when somebody asks. */
export function agentMetrics(describe: () => StatusDocument): Metrics {
  return new Metrics(() => measured(describe()));
}

function measured(status: StatusDocument): MeasuredNow {
  return {
    sessionsLive: status.sessions.length,
    spoolBytes: status.spool.bytes,
    spoolFreeBytes: status.spool.freeBytes,
    recordingsWaiting: status.spool.recordings,
    recordingsSetAside: status.spool.rejected,
    uplinkConnected: status.uplink.connectedSince !== null,
    leaseSeconds: status.lease?.seconds ?? null,
    policyVersion: status.policy?.version ?? null,
    revocationSequence: status.revocationSequence,
    revocationEntries: status.revocations.entries,
    revocationsBehind: status.revocations.behind,
    leaseAside: status.revocations.aside !== null,
    recorders: status.recorders.filter((recorder) => !recorder.draining).length,
    eventsWaiting: status.outbox.waiting,
    eventsDropped: status.outbox.dropped,
  };
}
