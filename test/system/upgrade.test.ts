import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../demo/light-host/until.ts";
import { finished, run } from "../fixtures/processes.ts";
import { castEvents, sessionWhere } from "../fixtures/sessions.ts";
import { TerminalClient } from "../fixtures/terminal.ts";
import type { WholeHost } from "../fixtures/whole-host.ts";
import { type Person, startWorld, type World } from "../fixtures/world.ts";
import { packagedHost } from "./support/packaged-host.ts";
import { build, packageFile } from "./support/packages.ts";

const NEXT = "0.1.1-1";
/** What a new login may wait while the package is upgraded, in milliseconds. */
const WAIT_MS = 2000;
const FILE_MB = 300;

describe("an upgrade of the agent's package while people work", () => {
  let world: World<WholeHost>;
  let alice: Person;
  const next = mkdtempSync(join(tmpdir(), "sallyport-next-"));
  before(async function () {
    this.timeout(300_000);
    build(next, "--version", NEXT, "sallyport-agent");
    world = await startWorld({
      host: packagedHost("bookworm", [next]),
      engagements: [{ name: "web", members: ["alice"] }],
    });
    alice = await world.signedIn("alice");
  });
  after(async () => {
    await world?.close();
    rmSync(next, { recursive: true });
  });

  const upgrade = (file: string) =>
    world.host.run(["apt-get", "install", "--yes", "--allow-downgrades", file], {
      env: { DEBIAN_FRONTEND: "noninteractive" },
    });
  const agentVersion = async () =>
    (
      JSON.parse((await world.host.run(["sallyport-agent", "status", "--json"])).stdout) as {
        version: string;
      }
    ).version;

  it("drops none of three sessions, keeps new logins waiting for 2 s at most, and the recordings are whole", async function () {
    this.timeout(180_000);
    const shell = new TerminalClient(alice.ssh("web-1"), { env: alice.env });
    await shell.shows(/\$ $/);
    shell.type("for i in $(seq 1 1000); do echo tick-$i; sleep 1; done\r");
    await shell.shows(/tick-1\b/);
    const sleeping = finished(
      spawn("ssh", [...alice.ssh("web-1", "sleep 40; echo slept").slice(1)], {
        env: alice.env,
        stdio: "pipe",
      }),
    );
    const source = join(next, "big");
    writeFileSync(source, Buffer.alloc(FILE_MB * 1_000_000, "sallyport "));
    const [ssh = "", ...options] = alice.ssh();
    const copying = run(["rsync", "--bwlimit=20m", "-e", [ssh, ...options].join(" "), source, "web-1:big"], {
      env: alice.env,
    });
    await sessionWhere(alice, (one) => one.state === "live" && (one.command ?? "").includes("rsync"));

    const upgraded = upgrade(packageFile(next, "sallyport-agent"));
    const waits: number[] = [];
    let isDone = false;
    const logins = (async () => {
      while (!isDone) {
        const begun = performance.now();
        const { status, stderr } = await run(alice.ssh("web-1", "true"), { env: alice.env });
        assert.equal(status, 0, String(stderr));
        waits.push(performance.now() - begun);
      }
    })();
    const { status, stdout, stderr } = await upgraded;
    assert.equal(status, 0, stdout + stderr);
    assert.ok(await until(async () => (await agentVersion()) === "0.1.1", 5000));
    isDone = true;
    await logins;
    assert.ok(Math.max(...waits) < WAIT_MS, `a login took ${Math.max(...waits)} ms of ${waits.length}`);

    shell.type("\u0003");
    await shell.shows(/\^C/);
    shell.type("echo still-$((40+2)); exit\r");
    await shell.shows(/still-42/);
    await shell.exited;
    assert.equal((await copying).status, 0, String((await copying).stderr));
    assert.equal(String((await sleeping).stdout), "slept\n");
    const copied = await world.host.machine.mustRun(["stat", "-c", "%s", "/home/deploy/big"]);
    assert.equal(Number(copied), FILE_MB * 1_000_000);
    for (const text of ["still-42", "slept"]) {
      const session = await sessionWhere(
        alice,
        (one) =>
          one.state === "ended" &&
          (text === "slept" ? (one.command ?? "").includes("slept") : one.kind === "pty"),
      );
      assert.match(
        (await castEvents(alice, session.id)).map(([, , data]) => data).join(""),
        new RegExp(text),
      );
      const verified = await alice.sallyport(["verify", session.id]);
      assert.equal(verified.status, 0, String(verified.stderr));
    }
    // Recorders of the version before end with their last session.
    const recorders = async () =>
      (await world.host.run(["systemctl", "list-units", "--plain", "--no-legend", "sallyport-recorder@*"]))
        .stdout;
    assert.ok(
      await until(async () => (await recorders()).trim().split("\n").length <= 2, 10_000),
      await recorders(),
    );
  });
});
