import assert from "node:assert/strict";
import { until } from "../../demo/light-host/until.ts";
import { finished, printed, run } from "../fixtures/processes.ts";
import { castEvents, sessionWhere } from "../fixtures/sessions.ts";
import { TerminalClient } from "../fixtures/terminal.ts";
import type { WholeHost } from "../fixtures/whole-host.ts";
import { type Person, startWorld, type World } from "../fixtures/world.ts";
import { packagedHost } from "./support/packaged-host.ts";

const DROP_IN = "/etc/ssh/sshd_config.d/10-sallyport.conf";
const LEAVE = ["sallyport-agent", "leave"];
const DRAIN = [...LEAVE, "--sessions", "drain"];

describe("taking a host with the agent's package out", () => {
  let world: World<WholeHost>;
  let alice: Person;
  let shell: TerminalClient;
  before(async function () {
    this.timeout(300_000);
    world = await startWorld({
      host: packagedHost("trixie"),
      engagements: [{ name: "web", members: ["alice"] }],
    });
    alice = await world.signedIn("alice");
    shell = new TerminalClient(alice.ssh("web-1"), { env: alice.env });
    await shell.shows(/\$ $/);
  });
  after(() => world?.close());

  /** While sshd reads its configuration it does not listen for a moment: ssh tries again. */
  const ssh = (command: string) =>
    run(alice.ssh("-o", "ConnectionAttempts=5", "web-1", command), { env: alice.env });
  const uplink = async (isConnected: boolean) => {
    const there = await until(async () => {
      const { stdout } = await world.host.run(["sallyport-agent", "status", "--json"]);
      const status = JSON.parse(stdout) as { uplink: { connectedSince: string | null } };
      return (status.uplink.connectedSince !== null) === isConnected;
    }, 30_000);
    assert.ok(there);
  };
  const isActive = async () =>
    (await world.host.run(["systemctl", "is-active", "sallyport-agent"])).stdout.trim() === "active";
  const hasDropIn = async () => (await world.host.run(["test", "-e", DROP_IN])).status === 0;
  const isEnrolled = async () => {
    assert.deepEqual([await hasDropIn(), await isActive()], [true, true]);
    const { status, stdout, stderr } = await ssh("echo in");
    assert.deepEqual([status, String(stdout)], [0, "in\n"], String(stderr));
  };

  it("is refused while recordings cannot be uploaded, and changes nothing", async () => {
    await world.stopControlPlane();
    await uplink(false);
    const { status, stderr } = await world.host.run(LEAVE);
    assert.equal(status, 1, stderr);
    assert.match(stderr, /not uploaded yet\. Let the agent run until they are, or add --force/);
    await world.startControlPlane();
    await uplink(true);
    await isEnrolled();
    shell.type("echo still-$((40+2))\r");
    await shell.shows(/still-42/);
  });

  it("can wait for sessions, and be interrupted at that: all is as before", async () => {
    const { status, stderr } = await world.host.run([
      "timeout",
      "--preserve-status",
      "-s",
      "INT",
      "5",
      ...DRAIN,
    ]);
    assert.equal(status, 1, stderr);
    assert.match(
      stderr,
      /Waiting for 1 connection to end[\s\S]*Interrupted: this host is enrolled as before/,
    );
    await isEnrolled();
  });

  it("lets nobody new in, waits for the last session, uploads it, and leaves nothing that runs", async () => {
    const leaving = world.host.spawn(DRAIN, { stdio: ["ignore", "pipe", "pipe"] });
    const outcome = finished(leaving);
    await printed(leaving, /Waiting for 1 connection/, "stderr");
    assert.notEqual((await ssh("echo in")).status, 0);
    shell.type("echo last-$((40+2)); exit\r");
    await shell.exited;
    const { status, stderr } = await outcome;
    assert.equal(status, 0, stderr);
    assert.deepEqual([await hasDropIn(), await isActive()], [false, false]);
    assert.deepEqual(world.host.recorderPids(), []);
    const session = await sessionWhere(alice, (one) => one.kind === "pty" && one.state === "ended");
    assert.match((await castEvents(alice, session.id)).map(([, , data]) => data).join(""), /last-42/);
    assert.equal((await alice.sallyport(["verify", session.id])).status, 0);
  });
});
