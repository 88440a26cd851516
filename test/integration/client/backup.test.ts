import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { writeSignIn } from "@sallyport/client/state/sign-in-state.ts";
import { renewAuditLog } from "@sallyport/control-plane/audit/renew-audit-log.ts";
import { makeBackup } from "@sallyport/control-plane/backup/make-backup.ts";
import { restoreBackup } from "@sallyport/control-plane/backup/restore-backup.ts";
import { startControlPlane } from "@sallyport/control-plane/control-plane.ts";
import { openStore } from "@sallyport/control-plane/store.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { Random } from "../adversary/support/random.ts";
import { signIn } from "../control-plane/support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "../control-plane/support/control-plane.ts";
import { enrol } from "../control-plane/support/host.ts";
import { UploadingHost } from "../control-plane/support/uploading-host.ts";
import { Machine } from "./fixtures/sallyport.ts";

const STDERR = { write: () => {} };

describe("a backup of a control plane that is at work", () => {
  let plane: TestControlPlane;
  let directory: string;
  let auditor: Machine;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-backup-"));
    plane = await startTestControlPlane();
    auditor = new Machine();
    mkdirSync(auditor.home, { mode: 0o700 });
  });
  after(async () => {
    await plane.close();
    auditor.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  it("is restored elsewhere with every recording that it knows whole, and its audit log holds", async () => {
    const { environment, config: original } = plane;
    const hosts = [1, 2, 3].map(async (seed) => {
      const host = await enrol(plane.url, await plane.joinToken(`web-${seed}`));
      return new UploadingHost(host, new Random(seed));
    });
    const uploading = await Promise.all(hosts);
    const work = { url: plane.url, isClosed: false };
    const runs = uploading.map((host) => host.run(work));
    const uploaded = () =>
      Math.min(...uploading.map((host) => host.uploads.filter((one) => one.complete).length));
    while (uploaded() < 2) await pause(10);

    const configFile = join(directory, "control-plane.yaml");
    writeFileSync(configFile, "# the configuration\n");
    const out = join(directory, "backup.tar");
    const { clock } = environment;
    const complete = uploading.flatMap((host) => host.uploads.filter((one) => one.complete));
    const shared = { isSqlite: true, withRecordings: true, clock, stderr: STDERR };
    const { lost } = await makeBackup({ config: original, configFile, out, ...shared });
    assert.deepEqual(lost, { count: 0, first: "" });
    const during = uploading.flatMap((host) => host.uploads).length;
    assert.ok(during > complete.length, "it was at work meanwhile");
    for (const host of uploading) host.finish();
    await Promise.all(runs);
    await plane.running.close();

    const dataDirectory = join(directory, "data");
    const config = {
      ...original,
      dataDirectory,
      listen: { ...original.listen, port: Number(new URL(plane.url).port) },
    };
    const known = { ...config, url: plane.url };
    const restored = await restoreBackup({
      ...{ config, file: out, force: false, nothingSince: false },
      ...{ owner: undefined, clock, stderr: STDERR },
    });
    assert.deepEqual([restored.aside, restored.checkpoint], [undefined, "none"]);
    // The old log had grown on: going on from here would make two of it.
    await assert.rejects(startControlPlane({ config: known, environment }), (error) =>
      isSallyportError(error, "config-invalid"),
    );
    const { db, keys } = await openStore({ config });
    await renewAuditLog({ db, environment, ring: keys.ring, url: plane.url }, "restored from a backup");
    await db.destroy();

    plane.running = await startControlPlane({ config: known, environment });
    const { apiToken, apiTokenExpiresAt, me } = await signIn(plane.url, plane.idp.issuer, "audrey");
    const nothing = { certificate: null, formerHosts: [], hostCaKeys: [] };
    writeSignIn(auditor, { v: 1, server: plane.url, apiToken, apiTokenExpiresAt, me, ...nothing });
    const ok = async (...args: string[]) => {
      const { status, stdout, stderr } = await auditor.run(...args);
      assert.equal(status, 0, stderr);
      return stdout;
    };
    for (const { session } of complete)
      assert.match(await ok("verify", session), /^The recording holds: .*^Audit log: entry /ms);
    assert.match(await ok("audit", "verify"), / holds: /);
    // What came after the backup, hosts still have, or it is lost with the machine; none of it is half there.
    const sessions = JSON.parse(await ok("sessions", "--json")) as { id: string; state: string }[];
    assert.ok(sessions.length >= complete.length);
  });
});
