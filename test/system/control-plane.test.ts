import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { Machine } from "../fixtures/whole-host/machine.ts";
import { freePort } from "../fixtures/world.ts";
import {
  startIdentityProvider,
  type TestIdentityProvider,
} from "../integration/control-plane/support/identity-provider.ts";
import { packagedHost } from "./support/packaged-host.ts";
import { packageFile, packages } from "./support/packages.ts";

const CONFIG = "/etc/sallyport/control-plane.yaml";
const STATE = "/var/lib/sallyport-control-plane";

describe("the control plane's package on Debian 12", () => {
  let directory: string;
  let idp: TestIdentityProvider;
  let server: Machine;
  let url: string;
  let answers: Record<string, unknown>;
  before(async function () {
    this.timeout(300_000); // the packages are built, and the first time Debian's are fetched
    directory = mkdtempSync(join(tmpdir(), "sallyport-test-"));
    idp = await startIdentityProvider();
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    answers = { url, issuer: idp.issuer, admin: "sam@company.test" };
    const built = packages();
    server = await Machine.boot({
      ...{ name: "control-plane", directory: join(directory, "server") },
      ...{ readOnly: [built], writable: [directory] },
      before: { "/etc/hostname": "control-plane\n" },
    });
    await server.mustRun(["apt-get", "install", "--yes", packageFile(built, "sallyport-control-plane")]);
  });
  after(async () => {
    await server?.close();
    await idp?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Runs setup with these answers. */
  const setUp = (given: Record<string, unknown>) => {
    const file = join(directory, "answers.yaml");
    writeFileSync(file, stringify(given));
    return server.run(["sallyport-control-plane", "setup", "--answers", file]);
  };
  const has = async (path: string) => (await server.run(["test", "-e", path])).status === 0;

  it("writes nothing when the identity provider does not answer", async () => {
    const { status, stderr } = await setUp({ ...answers, issuer: `http://127.0.0.1:${await freePort()}` });
    assert.equal(status, 1, stderr);
    assert.match(
      stderr,
      /^Nothing was written: http:.* does not answer as an OpenID provider \(.*ECONNREFUSED/,
    );
    assert.equal(await has(CONFIG), false);
  });

  it("is set up by a file of answers, and serves as its own user", async () => {
    const { status, stderr } = await setUp(answers);
    assert.equal(status, 0, stderr);
    assert.match(stderr, new RegExp(`sallyport login --server ${url}`));
    assert.equal((await fetch(`${url}/readyz`)).status, 200);
    const pid = await server.mustRun([
      "systemctl",
      "show",
      "--property=MainPID",
      "--value",
      "sallyport-control-plane",
    ]);
    assert.match(
      await server.mustRun(["stat", "-c", "%U", `/proc/${pid.trim()}`]),
      /^sallyport-control-plane$/m,
    );
    assert.match(
      await server.mustRun(["stat", "-c", "%a %U:%G", CONFIG]),
      /^640 root:sallyport-control-plane$/m,
    );
    assert.equal((await server.run(["sallyport-control-plane", "check-config"])).status, 0);
    assert.equal((await server.run(["systemctl", "is-enabled", "sallyport-control-plane"])).status, 0);
  });

  it("is not changed by a second setup", async () => {
    const before = await server.mustRun(["cat", CONFIG]);
    const { status, stderr } = await setUp({ ...answers, admin: "other@company.test" });
    assert.equal(status, 0, stderr);
    assert.match(stderr, /is there already, and stays as it is/);
    assert.equal(await server.mustRun(["cat", CONFIG]), before);
  });

  it("enrols a host that has the agent's package", async function () {
    this.timeout(120_000);
    const sshPort = await freePort();
    const options = ["--name", "web-1", "--address", "127.0.0.1", "--port", String(sshPort)];
    const joinToken = (await server.mustRun(["sallyport-control-plane", "join-token", ...options])).trim();
    const where = { address: "127.0.0.1", sshPort, directory: join(directory, "web-1") };
    const host = await packagedHost("bookworm")({ name: "web-1", ...where, accounts: [], joinToken });
    try {
      const { stdout } = await host.run(["sallyport-agent", "doctor"]);
      assert.match(stdout, new RegExp(`^ok +policy +connected to ${url} `, "m"));
    } finally {
      await host.close();
    }
  });

  it("is backed up while it runs, refuses to be restored meanwhile, and serves after it was", async () => {
    const backup = join(directory, "backup.tar");
    await server.mustRun(["sallyport-control-plane", "backup", "--out", backup]);
    const restore = ["sallyport-control-plane", "restore", "--in", backup, "--force"];
    const refused = await server.run(restore);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /must not run while it is restored.*systemctl stop/);
    await server.mustRun(["systemctl", "stop", "sallyport-control-plane"]);
    // The machine is lost: what is left is the backup, and the package.
    await server.mustRun(["sh", "-c", `rm -rf ${STATE}/* ${CONFIG}`]);
    await server.mustRun(restore);
    await server.mustRun(["sallyport-control-plane", "renew-audit-log", "--reason", "restored"]);
    const { status, stderr } = await setUp(answers);
    assert.equal(status, 0, stderr);
    assert.equal((await fetch(`${url}/readyz`)).status, 200);
    assert.match(await server.mustRun(["stat", "-c", "%a", backup]), /^600$/m);
    assert.ok(existsSync(backup) && readFileSync(backup).length > 0);
  });

  it("leaves keys and database after purge, says where, and takes the rest away", async () => {
    const { status, stdout } = await server.run(["apt-get", "purge", "--yes", "sallyport-control-plane"]);
    assert.equal(status, 0);
    assert.match(stdout, new RegExp(`stay in ${STATE}: they are evidence`));
    assert.ok(await has(`${STATE}/sallyport.db`));
    for (const path of [
      ...[CONFIG, "/usr/lib/sallyport-control-plane", "/var/cache/sallyport-control-plane"],
      ...["/etc/apparmor.d/sallyport-control-plane", "/etc/sallyport"],
      ...["/etc/systemd/system/multi-user.target.wants/sallyport-control-plane.service"],
    ])
      assert.equal(await has(path), false, `${path} is still there`);
    await assert.rejects(fetch(`${url}/readyz`));
  });
});
