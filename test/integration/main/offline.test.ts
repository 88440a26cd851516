import assert from "node:assert/strict";
import { join } from "node:path";
import { until } from "../../../demo/light-host/until.ts";
import { agentLog, logged } from "../../fixtures/agent-log.ts";
import { fakeClockEnv, setClock } from "../../fixtures/fake-clock.ts";
import { type Forgery, forgeLogin } from "../../fixtures/forged-login.ts";
import { holdAgent } from "../../fixtures/held-agent.ts";
import { type Outcome, run } from "../../fixtures/processes.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { PEOPLE, type Person, startWorld, type World } from "../../fixtures/world.ts";

const MAIN = join(import.meta.dirname, "../../../agent/src/main.ts");
const HOUR = 3600;
const DAY = 24 * HOUR;
const BUNDLE = "/var/lib/sallyport/bundle.jws";
const REFUSED = 254;

interface Finding {
  check: string;
  level: string;
  what: string;
}

describe("a host on its own, and its clock:", () => {
  let world: World;
  let alice: Person;

  before(async () => {
    world = await startWorld({
      engagements: [
        { name: "web", members: ["alice"], end: new Date(Date.now() + 7 * DAY * 1000) },
        { name: "other", members: ["carol", "dave"], end: new Date(Date.now() + 7 * DAY * 1000) },
      ],
      hostEnv: fakeClockEnv(),
    });
    alice = await world.signedIn("alice");
    for (const name of ["carol", "dave"]) await world.signedIn(name);
  });
  after(() => world.close());

  const logIn = (person = alice) => run(person.ssh("web-1", "echo in"), { env: person.env });

  /** A login whose certificate and token are good now and for days: nothing but the host's policy can refuse it. */
  function lasting(name: string, ahead = 0): Forgery & { subject: string } {
    const now = Math.floor(Date.now() / 1000) + ahead;
    return {
      subject: PEOPLE.find((one) => one.name === name)?.sub ?? "",
      claims: { iat: now, auth_time: now, exp: now + 2 * DAY },
      certificate: (content) => ({ ...content, validBefore: now + 2 * DAY }),
    };
  }

  async function logInLasting(name = "alice", ahead = 0): Promise<Outcome> {
    const { subject, ...forgery } = lasting(name, ahead);
    return run(forgeLogin(world, subject, forgery).ssh("echo in"));
  }

  function isIn(outcome: Outcome): void {
    assert.deepEqual([outcome.stdout.toString(), outcome.status], ["in\n", 0], outcome.stderr);
  }

  function isTold(outcome: Outcome, text: RegExp): void {
    assert.equal(outcome.status, REFUSED, outcome.stderr);
    assert.equal(outcome.stdout.toString(), "");
    assert.match(outcome.stderr, text);
  }

  const refusedWith = (code: string, since: number) =>
    logged(world, (line) => line.message === "login" && line.code === code, since);
  const lines = () => agentLog(world).length;

  /** What doctor has to say that is not well. */
  async function doctor(): Promise<Finding[]> {
    const { stdout } = await world.host.run([process.execPath, MAIN, "doctor", "--json"], {
      env: fakeClockEnv(),
    });
    const { findings } = JSON.parse(stdout) as { findings: Finding[] };
    return findings.filter(({ level }) => level !== "ok");
  }

  async function doctorSays(check: string, what: RegExp): Promise<void> {
    const findings = await doctor();
    assert.ok(
      findings.some((one) => one.check === check && what.test(one.what)),
      JSON.stringify(findings),
    );
  }

  /** Has the control plane send a bundle, with the time in it. */
  async function hearFromControlPlane(): Promise<void> {
    const since = lines();
    await world.applyPolicy([
      { name: "web", members: ["alice"], end: new Date(Date.now() + 7 * DAY * 1000 + Math.random() * 1e7) },
    ]);
    await logged(world, (line) => line.message === "policy", since);
  }

  /** Waits until the control plane's word has made the clock right: one signed in the same second as the last is no news. */
  async function isRightAgain(): Promise<void> {
    const admitted = async (): Promise<boolean> => {
      await hearFromControlPlane();
      return (await logInLasting()).status === 0;
    };
    assert.ok(await until(admitted, 10_000));
  }

  /** Has the control plane come back, and waits until the host has heard it. */
  async function backAgain(): Promise<void> {
    const since = lines();
    await world.startControlPlane();
    await logged(world, (line) => line.message === "connected to the control plane", since);
    await hearFromControlPlane();
  }

  it("its agent admits anew from what is on the disk while the control plane is away", async () => {
    isIn(await logIn());
    await world.stopControlPlane();
    await world.host.killAgent("SIGKILL");
    await world.host.agentReady();
    isIn(await logIn());
    await backAgain();
  });

  describe("an hour forward", () => {
    afterEach(async () => {
      await setClock(world, 0);
      await isRightAgain();
    });

    it("ends certificates, and nothing is told", async () => {
      await setClock(world, HOUR);
      const since = lines();
      const outcome = await logIn();
      assert.equal(outcome.status, 255);
      assert.doesNotMatch(outcome.stderr, /sallyport/);
      await refusedWith("certificate-validity", since);
    });

    it("ends the lease, which is told, and doctor says that the clock is an hour ahead", async () => {
      await setClock(world, HOUR);
      const since = lines();
      isTold(await logInLasting(), /^sallyport: This host has lost contact with its control plane/m);
      await refusedWith("lease-expired", since);
      await hearFromControlPlane();
      isTold(await logInLasting(), /lost contact/);
      await logged(world, (line) => line.message === "another clock differs from this host's", since);
      await doctorSays("clock", /^the clock of the control plane is (1 h|59 min \d+ s) behind this host$/);
    });
  });

  it("back to the right time after an hour forward: refused until the control plane has said that it is right", async () => {
    await setClock(world, HOUR);
    isTold(await logInLasting(), /lost contact/);
    await setClock(world, 0);
    const since = lines();
    isTold(await logInLasting(), /^sallyport: The clock of this host is wrong: it was set back/m);
    await refusedWith("clock-set-back", since);
    await isRightAgain();
    isIn(await logIn());
  });

  it("back to the right time, with the control plane away: root may say that it is right", async () => {
    await world.stopControlPlane();
    await setClock(world, HOUR);
    isTold(await logInLasting(), /lost contact/);
    await setClock(world, 0);
    isTold(await logInLasting(), /clock of this host is wrong/);
    const { status, stderr } = await world.host.run([process.execPath, MAIN, "clock", "accept"]);
    assert.equal(status, 0, stderr);
    isIn(await logIn());
    await backAgain();
  });

  it("an hour back: new logins are refused and told, sessions go on, a restart does not help", async () => {
    await hearFromControlPlane();
    const terminal = new TerminalClient(alice.ssh("web-1"), { env: alice.env });
    await terminal.shows(/\$ $/);
    const since = lines();
    await setClock(world, -HOUR);
    isTold(await logIn(), /^sallyport: The clock of this host is wrong: it was set back/m);
    await refusedWith("clock-set-back", since);
    await doctorSays("clock", /^the clock was set back/);
    await world.host.killAgent("SIGTERM");
    await world.host.agentReady();
    isTold(await logIn(), /clock of this host is wrong/);
    await hearFromControlPlane();
    isTold(await logIn(), /clock of this host is wrong/);
    terminal.type("echo still $((40 + 2))\r");
    await terminal.shows(/still 42/);
    await setClock(world, 0);
    isIn(await logIn());
    terminal.type("exit\r");
    await terminal.exited;
  });

  it("an hour back does not prolong an engagement: its sessions end when they would have", async () => {
    const dave = world.person("dave");
    const terminal = new TerminalClient(dave.ssh("web-1"), { env: dave.env });
    await terminal.shows(/\$ $/);
    await setClock(world, -HOUR);
    const since = lines();
    await world.applyPolicy([
      { name: "other", members: ["carol", "dave"], end: new Date(Date.now() + 5_000) },
    ]);
    await logged(world, (line) => line.message === "policy", since);
    await terminal.shows(/Engagement other ended .* This session ends now\./);
    await terminal.exited;
    await setClock(world, 0);
    await world.applyPolicy([
      { name: "other", members: ["carol", "dave"], end: new Date(Date.now() + 7 * DAY * 1000) },
    ]);
    await logged(world, (line) => line.message === "policy", since + 2);
  });

  it("a lease that ran out while the control plane was away for a day; a session that was open goes on", async () => {
    await hearFromControlPlane();
    const terminal = new TerminalClient(alice.ssh("web-1"), { env: alice.env });
    await terminal.shows(/\$ $/);
    await world.stopControlPlane();
    await setClock(world, DAY);
    const since = lines();
    isTold(await logInLasting("alice", DAY), /lost contact with its control plane for too long/);
    await refusedWith("lease-expired", since);
    await doctorSays("policy", /^the lease ran out 23 h \d+ min ago$/);
    await doctorSays("policy", /^not connected/);
    terminal.type("echo still $((40 + 2))\r");
    await terminal.shows(/still 42/);
    await setClock(world, 0);
    await world.startControlPlane();
    // The lease that comes with the connection says what time it is.
    assert.ok(await until(async () => (await logIn()).status === 0, 15_000));
    terminal.type("exit\r");
    await terminal.exited;
  });

  it("a policy of before, put in the place of the one that took access away", async () => {
    const carol = world.person("carol");
    isIn(await logIn(carol));
    const inside = async (command: string) => {
      const { status, stderr } = await world.host.run(["sh", "-ec", command]);
      assert.equal(status, 0, stderr);
    };
    await inside(`cp ${BUNDLE} /root/old-bundle`);
    let since = lines();
    await world.applyPolicy([{ name: "other", members: ["dave"] }]);
    await logged(world, (line) => line.message === "policy", since);
    isTold(await logIn(carol), /^sallyport: You are not a member/m);
    await world.stopControlPlane();

    // What would happen if the host did not remember that there was a newer one.
    await world.host.stopAgent();
    await inside(`mv ${BUNDLE}.newest /root/newest; cp /root/old-bundle ${BUNDLE}`);
    await world.host.startAgent();
    isIn(await logIn(carol));

    await world.host.stopAgent();
    await inside(`mv /root/newest ${BUNDLE}.newest`);
    since = lines();
    await world.host.startAgent();
    const line = await logged(world, (one) => one.message === "the stored policy is not usable", since);
    assert.match(String(line.error), /Bundle \d+ is older than \d+/);
    isTold(await logIn(carol), /^sallyport: This host has not received its policy yet/m);
    await refusedWith("policy-missing", since);
    await doctorSays("policy", /^the policy on the disk is not used: Bundle \d+ is older than \d+/);

    await world.startControlPlane();
    assert.ok(await until(async () => (await logIn()).status === 0, 15_000), "the control plane mends it");
    isTold(await logIn(carol), /not a member/);
  });

  it("a revocation that comes between sshd's query and the login", async () => {
    const { subject, ...forgery } = lasting("dave");
    const argv = forgeLogin(world, subject, forgery).ssh("echo in");
    const identity = argv[argv.indexOf("-i") + 1] ?? "";
    const agent = await holdAgent(join(identity, ".."), identity);
    const throughAgent = argv.map((one) =>
      one === "IdentityAgent=none" ? `IdentityAgent=${agent.socket}` : one,
    );
    try {
      const since = lines();
      const login = run(throughAgent);
      await agent.asked;
      await logged(world, (line) => line.message === "login" && line.outcome === "admit", since);
      const sam = await world.signedIn("sam");
      const revoked = await sam.sallyport(["revoke", "--member", "dave@vendor.test", "--reason", "left"]);
      assert.equal(revoked.status, 0, revoked.stderr);
      // sshd had been told that the key is welcome: its connection is ended, before anybody is in.
      agent.sign();
      const outcome = await login;
      assert.deepEqual([outcome.stdout.toString(), outcome.status], ["", 255]);
      isTold(await logInLasting("dave"), /^sallyport: Your access was revoked .*: left\./m);
      await refusedWith("revoked", since);
    } finally {
      await agent.close();
    }
  });
});
