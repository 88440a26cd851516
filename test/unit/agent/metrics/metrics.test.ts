import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { type IncomingMessage, request, type Server } from "node:http";
import { agentMetrics } from "@sallyport/agent/metrics/agent-metrics.ts";
import { serveMetrics } from "@sallyport/agent/metrics/metrics-server.ts";
import type { FromRecorder } from "@sallyport/agent/recorders/control-messages.ts";
import type { StatusDocument } from "@sallyport/agent/status/status-document.ts";
import { STATUS } from "../support/status.ts";
import { temporaryDirectory } from "../support/temporary.ts";

type Told = Exclude<FromRecorder, { type: "hello" }>;

describe("metrics", () => {
  const directory = temporaryDirectory();
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  const get = (socketPath: string, path = "/metrics", method = "GET") =>
    new Promise<{ status: number | undefined; type: string | undefined; text: string }>((resolve, reject) => {
      const onResponse = async (response: IncomingMessage) => {
        let text = "";
        for await (const chunk of response) text += String(chunk);
        resolve({ status: response.statusCode, type: response.headers["content-type"], text });
      };
      request({ socketPath, path, method }, (response) => void onResponse(response))
        .on("error", reject)
        .end();
    });
  const ours = (text: string) => text.split("\n").filter((line) => /^sallyport_(?!decision)/.test(line));

  it("are counted, and read from the status when they are asked for, all from one look", async () => {
    let looks = 0;
    let status: StatusDocument = STATUS;
    const metrics = agentMetrics(() => {
      looks++;
      return status;
    });
    metrics.login("admit", null);
    metrics.login("refuse", "lease-expired");
    metrics.login("refuse", "lease-expired");
    metrics.noteRecorder({ type: "started" } as unknown as Told);
    metrics.noteRecorder({ type: "ended", end: { reason: "exited" } } as unknown as Told);
    metrics.noteRecorder({ type: "failed" } as unknown as Told);
    metrics.noteRecorder({ type: "sealed" } as unknown as Told);
    metrics.sessionEnded("recorder-lost");
    metrics.blockUploaded();
    metrics.watchdogKill(3);
    metrics.decided(0.002);
    const text = await metrics.text();
    assert.equal(looks, 1);
    assert.deepEqual(ours(text), [
      'sallyport_logins_total{outcome="admit",code=""} 1',
      'sallyport_logins_total{outcome="refuse",code="lease-expired"} 2',
      "sallyport_sessions_started_total 1",
      'sallyport_sessions_ended_total{reason="exited"} 1',
      'sallyport_sessions_ended_total{reason="spool-failed"} 1',
      'sallyport_sessions_ended_total{reason="recorder-lost"} 1',
      "sallyport_blocks_uploaded_total 1",
      "sallyport_watchdog_kills_total 3",
      "sallyport_sessions_live 1",
      "sallyport_spool_bytes 1536",
      `sallyport_spool_free_bytes ${5 * 1024 ** 3}`,
      "sallyport_spool_recordings 1",
      "sallyport_spool_rejected 0",
      "sallyport_uplink_connected 1",
      "sallyport_lease_seconds 545",
      "sallyport_policy_version 3",
      "sallyport_revocation_sequence 12",
      "sallyport_revocation_entries 9",
      "sallyport_revocations_behind 0",
      "sallyport_lease_aside 0",
      "sallyport_recorders 1",
      "sallyport_events_waiting 0",
      "sallyport_events_dropped 0",
    ]);
    assert.match(text, /^sallyport_decision_seconds_bucket\{le="0.001"\} 0$/m);
    assert.match(text, /^sallyport_decision_seconds_bucket\{le="0.0025"\} 1$/m);
    assert.match(text, /^process_resident_memory_bytes \d+$/m);

    status = { ...STATUS, policy: null, lease: null, uplink: { ...STATUS.uplink, connectedSince: null } };
    const later = ours(await metrics.text());
    for (const line of [
      "sallyport_uplink_connected 0",
      "sallyport_lease_seconds Nan",
      "sallyport_policy_version Nan",
    ])
      assert.ok(later.includes(line), line);
  });

  it("are served on a socket of root's alone, or of a group's too", async () => {
    const metrics = agentMetrics(() => STATUS);
    const path = directory.file("metrics.sock");
    servers.push(await serveMetrics(path, metrics, null));
    assert.deepEqual([statSync(path).mode & 0o777, statSync(path).gid], [0o600, 0]);
    const { status, type, text } = await get(path);
    assert.equal(status, 200);
    assert.match(type ?? "", /^text\/plain; version=0\.0\.4/);
    assert.match(text, /^sallyport_sessions_live 1$/m);
    assert.equal((await get(path, "/")).status, 404);
    assert.equal((await get(path, "/metrics", "POST")).status, 404);

    const shared = directory.file("shared.sock");
    servers.push(await serveMetrics(shared, metrics, "daemon"));
    assert.deepEqual([statSync(shared).mode & 0o777, statSync(shared).gid], [0o660, 1]);
    await assert.rejects(serveMetrics(shared, metrics, "nosuchgroup"), { code: "config-invalid" });
  });

  it("answer 500 when the host cannot be looked at, and are there again after", async () => {
    let sick = true;
    const metrics = agentMetrics(() => {
      if (sick) throw new Error("the disk is gone");
      return STATUS;
    });
    const path = directory.file("metrics.sock");
    servers.push(await serveMetrics(path, metrics, null));
    assert.equal((await get(path)).status, 500);
    sick = false;
    assert.equal((await get(path)).status, 200);
  });
});
