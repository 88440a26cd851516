import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { until } from "../../../demo/light-host/until.ts";
import { agentLog, logged } from "../../fixtures/agent-log.ts";
import { Multiplexed } from "../../fixtures/multiplexed.ts";
import { run } from "../../fixtures/processes.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { PEOPLE, type Person, startWorld, type World } from "../../fixtures/world.ts";

const KRL = "/etc/sallyport/revoked_keys.krl";
const REFUSED = 254;
const subjectOf = (name: string): string => PEOPLE.find((one) => one.name === name)?.sub ?? "";

describe("a revocation on a host", () => {
  let world: World;
  let sam: Person;

  before(async () => {
    world = await startWorld({ engagements: [{ name: "web", members: ["alice", "carol", "dave"] }] });
    sam = await world.signedIn("sam");
  });
  after(() => world.close());

  const logIn = (person: Person) => run(person.ssh("web-1", "echo in"), { env: person.env });
  const staff = async (...argv: string[]): Promise<string> => {
    const { status, stdout, stderr } = await sam.sallyport(argv);
    assert.equal(status, 0, stderr);
    return stdout.toString();
  };
  const isRunning = async (name: string) => (await world.host.run(["pgrep", "-f", name])).stdout !== "";

  const levels: [what: string, argv: () => string[]][] = [
    ["an identity", () => ["--identity", `${world.idp.issuer} ${subjectOf("alice")}`]],
    ["a member", () => ["--member", "alice@vendor.test"]],
    ["a vendor", () => ["--vendor", "vendor"]],
    ["an IdP", () => ["--issuer", world.idp.issuer]],
  ];
  for (const [what, argv] of levels) {
    it(`of ${what} ends the live session with all its processes; nobody is in again before a new sign-in`, async () => {
      const alice = await world.signedIn("alice");
      const terminal = new TerminalClient(alice.ssh("web-1"), { env: alice.env });
      await terminal.shows(/\$ $/);
      const name = `left-behind-${levels.findIndex(([one]) => one === what)}`;
      terminal.type(`setsid nohup bash -c 'exec -a ${name} sleep 3003' >/dev/null 2>&1 & echo st""arted\r`);
      await terminal.shows(/\nstarted\r\n/);
      assert.ok(await until(() => isRunning(name), 5_000));
      await staff("revoke", ...argv(), "--reason", "contract over", "--wait");
      await terminal.exited;
      assert.equal(await isRunning(name), false, "nothing is left when it is acknowledged");
      assert.match(terminal.text, /revoked .*: contract over.* This session ends now\./);
      const refused = await logIn(alice);
      assert.deepEqual([refused.status, refused.stdout.toString()], [REFUSED, ""]);
      assert.match(refused.stderr, /^sallyport: .*revoked .*: contract over/m);

      const since = agentLog(world).length;
      await staff("unrevoke", ...argv(), "--reason", "a mistake");
      await logged(world, ({ message }) => message === "revocation", since);
      const still = await logIn(alice);
      assert.equal(still.status, REFUSED, "the old certificate");
      // Signing in is to the second: what is revoked up to now is what was signed in for before this second.
      const second = Math.floor(Date.now() / 1000);
      await until(() => Math.floor(Date.now() / 1000) > second, 2_000);
      const again = await alice.signIn({ force: true });
      assert.equal(again.status, 0, again.stderr);
      assert.ok(await until(async () => (await logIn(alice)).status === 0, 5_000));
    });
  }

  it("of the sign-ins so far alone lets in who signs in again, without anybody giving anything back", async () => {
    const carol = await world.signedIn("carol");
    const connection = new Multiplexed(carol);
    assert.equal((await connection.ssh("echo in")).stdout.toString(), "in\n");
    const second = Math.floor(Date.now() / 1000);
    await until(() => Math.floor(Date.now() / 1000) > second, 2_000);
    await staff(
      "revoke",
      "--member",
      "carol@vendor.test",
      "--sign-ins-only",
      "--reason",
      "laptop lost",
      "--wait",
    );
    assert.notEqual((await connection.ssh("echo in")).stdout.toString(), "in\n", "the open connection");
    assert.match((await logIn(carol)).stderr, /laptop lost/);
    await until(() => Math.floor(Date.now() / 1000) > second + 2, 4_000);
    assert.equal((await carol.signIn({ force: true })).status, 0);
    assert.equal((await logIn(carol)).stdout.toString(), "in\n");
    await connection.close();
  });

  it("races with forty logins: none is admitted after the acknowledgement, none survives it", async () => {
    const carol = await world.signedIn("carol");
    const since = agentLog(world).length;
    const logins = Array.from({ length: 40 }, async (_, number) => {
      await pause(number * 60);
      return run(carol.ssh("web-1", "exec -a in-the-race sleep 3004"), { env: carol.env });
    });
    await logged(world, ({ message, outcome }) => message === "login" && outcome === "admit", since);
    await staff("revoke", "--member", "carol@vendor.test", "--sign-ins-only", "--reason", "race", "--wait");
    assert.equal(await isRunning("in-the-race"), false);
    const outcomes = await Promise.all(logins);
    assert.ok(outcomes.every(({ status }) => status !== 0));
    const lines = agentLog(world).slice(since);
    const inForce = lines.findIndex(({ message }) => message === "revocations are in force");
    assert.ok(inForce > 0);
    assert.deepEqual(
      lines.slice(inForce).filter(({ message, outcome }) => message === "login" && outcome === "admit"),
      [],
    );
    assert.equal(await isRunning("in-the-race"), false);
  });

  it("is what sshd itself refuses a certificate by, whatever becomes of the agent", async () => {
    const dave = await world.signedIn("dave");
    const certificate = join(dave.home, "sallyport-cert.pub");
    const list = () => spawnSync("ssh-keygen", ["-L", "-f", certificate], { encoding: "utf8" }).stdout;
    const serial = /Serial: (\d+)/.exec(list())?.[1] ?? "";
    await staff("revoke", "--certificate", serial, "--reason", "stolen", "--wait");
    assert.match((await logIn(dave)).stderr, /stolen/, "for a while the agent says why");
    await world.host.stopAgent();
    try {
      const copy = join(world.directory, "krl");
      const { stdout } = await world.host.run(["base64", "-w0", KRL]);
      spawnSync("sh", ["-c", `base64 -d > ${copy}`], { input: stdout });
      assert.equal(spawnSync("ssh-keygen", ["-Qf", copy, certificate]).status, 1, "it stands in the list");
      const outcome = await logIn(dave);
      assert.equal(outcome.status, 255);
      assert.match(
        readFileSync(world.host.sshdLog(), "utf8"),
        /revoked by file \/etc\/sallyport\/revoked_keys\.krl/,
      );
    } finally {
      await world.host.startAgent();
    }
    assert.equal((await dave.signIn({ force: true })).status, 0);
    assert.equal((await logIn(dave)).stdout.toString(), "in\n", "another certificate");
  });

  it("is in force after a restart, with the control plane away", async () => {
    const dave = world.person("dave");
    await staff("revoke", "--member", "dave@vendor.test", "--reason", "left", "--wait");
    await world.stopControlPlane();
    await world.host.killAgent("SIGKILL");
    await world.host.agentReady();
    const refused = await logIn(dave);
    assert.equal(refused.status, REFUSED);
    assert.match(refused.stderr, /: left/);
    await world.startControlPlane();
  });
});
