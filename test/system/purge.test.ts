import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addAccount } from "../../demo/light-host/accounts.ts";
import { until } from "../../demo/light-host/until.ts";
import { run } from "../fixtures/processes.ts";
import { castEvents, sessionWhere } from "../fixtures/sessions.ts";
import { TerminalClient } from "../fixtures/terminal.ts";
import type { Machine } from "../fixtures/whole-host/machine.ts";
import { startWholeHost, type WholeHost } from "../fixtures/whole-host.ts";
import { type Person, startWorld, type World } from "../fixtures/world.ts";
import { fromPackage } from "./support/packaged-host.ts";
import { packageFile, packages } from "./support/packages.ts";

const CONTROL_PLANE = join(import.meta.dirname, "../../control-plane/src/main.ts");
const SPOOL = "/var/lib/sallyport/spool";
const PURGED_WITHIN_MS = 30_000;
const LISTED = { sudo: "listed", commands: [{ program: "/usr/bin/whoami", arguments: [] }] };

/** What installing, enrolling and people at work may leave behind, one thing a line. */
const LOOK = `
  sshd -T
  getent passwd; getent group; cat /etc/shells
  find /etc -type f ! -name '*-' ! -name .pwd.lock -exec sha256sum {} + | sort -k 2
  find / /run /sys/fs/cgroup -xdev -name '*sallyport*' | sort
  ls -A /home /etc/sudoers.d /var/spool/cron/crontabs
  systemctl list-unit-files --no-legend | sort
  systemctl list-units --all --type=service,socket,slice,scope --plain --no-legend '*sallyport*'
`;
const look = async (host: Machine) => (await host.mustRun(["sh", "-c", LOOK])).split("\n");

describe("removing the agent's package", () => {
  let world: World<WholeHost>;
  let alice: Person;
  let asBefore: string[];
  let directory: string;
  before(async function () {
    this.timeout(300_000);
    directory = mkdtempSync(join(tmpdir(), "sallyport-test-"));
    const key = join(directory, "ops");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
    const installation = fromPackage("bookworm");
    world = await startWorld({
      host: (options) =>
        startWholeHost(options, {
          ...installation,
          install: async (host) => {
            const authorizedKeys = [readFileSync(`${key}.pub`, "utf8").trim()];
            await addAccount(host, { name: "ops", shell: "/bin/bash", authorizedKeys }, undefined);
            asBefore = await look(host);
            await installation.install(host);
          },
        }),
      accounts: [],
      engagements: [{ name: "own", members: ["alice"], accounts: [], personal: {}, privilege: LISTED }],
    });
    alice = await world.signedIn("alice");
  });
  after(async () => {
    await world?.close();
    rmSync(directory, { recursive: true });
  });

  const host = () => world.host.machine;
  const apt = (...argv: string[]) =>
    host().run(["apt-get", "--yes", ...argv], { env: { DEBIAN_FRONTEND: "noninteractive" } });
  const install = async () => {
    const { status, stderr } = await apt("install", packageFile(packages(), "sallyport-agent"));
    assert.equal(status, 0, stderr);
  };
  const has = async (path: string) => (await host().run(["test", "-e", path])).status === 0;
  /** An administrator's own way in. While sshd reads its configuration it does not listen for a moment: ssh tries again. */
  const asAdministrator = () =>
    run(
      [
        ...[
          "ssh",
          "-F",
          "none",
          "-i",
          join(directory, "ops"),
          "-o",
          "ConnectionAttempts=5",
          "-o",
          "BatchMode=yes",
        ],
        ...["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"],
        ...["-p", String(world.host.port), `ops@${world.host.address}`, "true"],
      ],
      { env: alice.env },
    );
  const atWork = async (words: string) => {
    const there = await until(
      async () => (await host().run(["test", "-e", "/etc/sudoers.d/sallyport-alice-vendor"])).status === 0,
      10_000,
    );
    assert.ok(there, (await host().run(["ls", "/etc/sudoers.d"])).stdout);
    const shell = new TerminalClient(alice.ssh("web-1"), { env: alice.env });
    await shell.shows(/\$ $/);
    shell.type(`echo ${words}-$((40+2))\r`);
    await shell.shows(new RegExp(`${words}-42`));
    return shell;
  };

  it("purge leaves sshd and everything else as before, with a session open, and lets administrators in all the time", async function () {
    this.timeout(120_000);
    const shell = await atWork("open");
    const begun = performance.now();
    const purged = apt("purge", "sallyport-agent").finally(() => (isDone = true));
    let isDone = false;
    let logins = 0;
    for (; !isDone; logins++) {
      const { status, stderr } = await asAdministrator();
      assert.equal(status, 0, stderr);
    }
    const { status, stdout, stderr } = await purged;
    const took = performance.now() - begun;
    assert.equal(status, 0, stdout + stderr);
    assert.ok(took < PURGED_WITHIN_MS, `it took ${took} ms`);
    assert.ok(logins > 3, `${logins} logins`);
    assert.doesNotMatch(stdout, /not uploaded/);
    assert.notEqual(await shell.exited, 0);
    assert.deepEqual(await look(host()), asBefore);
    const session = await sessionWhere(alice, (one) => one.state === "ended" && one.kind === "pty");
    assert.match((await castEvents(alice, session.id)).map(([, , data]) => data).join(""), /open-42/);
    assert.equal((await alice.sallyport(["verify", session.id])).status, 0);
  });

  it("installs and enrols again", async function () {
    this.timeout(120_000);
    await install();
    const config = join(world.directory, "control-plane.yaml");
    const where = ["--name", "web-1", "--address", world.host.address, "--port", String(world.host.port)];
    const argv = [
      process.execPath,
      CONTROL_PLANE,
      "join-token",
      "--config",
      config,
      ...where,
      "--label",
      "env=test",
    ];
    const token = await run(argv, { env: process.env });
    assert.equal(token.status, 0, token.stderr);
    const enrolled = await host().run(["sallyport-agent", "enroll", "--token-file", "-"], {
      input: token.stdout.toString(),
    });
    assert.equal(enrolled.status, 0, enrolled.stderr + enrolled.stdout);
    alice = await world.signedIn("alice");
    const shell = await atWork("again");
    shell.type("exit\r");
    assert.equal(await shell.exited, 0);
  });

  it("keeps recordings that cannot be uploaded, and says where", async function () {
    this.timeout(120_000);
    const shell = await atWork("kept");
    await world.stopControlPlane();
    const removed = await apt("remove", "sallyport-agent");
    assert.equal(removed.status, 0, removed.stdout + removed.stderr);
    assert.notEqual(await shell.exited, 0);
    // Installed again it waits to be enrolled; nothing runs, nothing fails.
    await install();
    assert.equal(
      (await host().run(["systemctl", "is-failed", "sallyport-*"])).stdout.includes("failed"),
      false,
    );
    const purged = await apt("purge", "sallyport-agent");
    assert.equal(purged.status, 0, purged.stdout + purged.stderr);
    assert.match(purged.stdout, new RegExp(`recordings that were not uploaded stay in ${SPOOL}`));
    assert.ok(await has(SPOOL));
    const left = (await look(host())).filter((line) => !line.startsWith("/var/lib/sallyport"));
    assert.deepEqual(left, asBefore);
    assert.equal((await asAdministrator()).status, 0);
  });
});
