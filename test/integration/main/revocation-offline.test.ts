import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { until } from "../../../demo/light-host/until.ts";
import { agentLog, type LogLine, logged } from "../../fixtures/agent-log.ts";
import { fakeClockEnv, setClock } from "../../fixtures/fake-clock.ts";
import { forgeLogin } from "../../fixtures/forged-login.ts";
import { type LinkBetween, startLinkBetween } from "../../fixtures/link-between.ts";
import { run } from "../../fixtures/processes.ts";
import { PEOPLE, type Person, startWorld, type World } from "../../fixtures/world.ts";

const DAY = 86_400;
/** Of the host, in seconds: as short as it may be. The host's clock is ahead by most of it. */
const LEASE = 30;
const AHEAD = 18;

/** What a host that was cut off past its lease does when it is back: first what it missed, then logins. */
describe("a host that was cut off", () => {
  let world: World;
  let between: LinkBetween;
  let sam: Person;

  before(async () => {
    world = await startWorld({
      engagements: [{ name: "web", members: ["alice", "dave"], end: new Date(Date.now() + 7 * DAY * 1000) }],
      controlPlane: { lease: LEASE },
      hostEnv: fakeClockEnv(),
      between: async (port) => {
        between = await startLinkBetween(port);
        return between.port;
      },
    });
    sam = await world.signedIn("sam");
    for (const name of ["alice", "dave"]) await world.signedIn(name);
  });
  after(async () => {
    await world.close();
    await between.close();
  });

  /** A login whose certificate and token are good for days: nothing but the host's policy can refuse it. */
  const argvOf = (name: string): string[] => {
    const now = Math.floor(Date.now() / 1000);
    const subject = PEOPLE.find((one) => one.name === name)?.sub ?? "";
    return forgeLogin(world, subject, {
      claims: { iat: now, auth_time: now, exp: now + 2 * DAY },
      certificate: (content) => ({ ...content, validBefore: now + 2 * DAY }),
    }).ssh("echo in");
  };
  const revoke = async (name: string) => {
    const { status, stderr } = await sam.sallyport(["revoke", `${name}@vendor.test`, "--reason", "left"]);
    assert.equal(status, 0, stderr);
  };

  it("admits nobody past its lease, and back again nobody before it has what it missed", async () => {
    const [alice, dave] = [argvOf("alice"), argvOf("dave")];
    assert.equal((await run(dave)).stdout.toString(), "in\n");
    between.down();
    await revoke("dave");
    assert.equal((await run(dave)).stdout.toString(), "in\n", "its lease holds, and it knows of nothing");
    await setClock(world, AHEAD);
    const isOver = async () => /lost contact/.test((await run(alice)).stderr);
    assert.ok(await until(isOver, LEASE * 1000));
    assert.match((await run(dave)).stderr, /lost contact/);

    // Logins all the time, while the link comes back with everything but the list: a fresh lease is here, and does not count.
    const since = agentLog(world).length;
    let hammering = true;
    const outcomes: { name: string; stdout: string }[] = [];
    const hammer = async (name: string, argv: readonly string[]) => {
      while (hammering) outcomes.push({ name, stdout: (await run(argv)).stdout.toString() });
    };
    const hammers = [hammer("alice", alice), hammer("dave", dave), hammer("dave", dave)];
    between.hold("revocations");
    between.up();
    await logged(world, ({ message }) => message === "connected to the control plane", since);
    assert.ok(await until(() => between.held() > 0, 10_000));
    const tried = outcomes.length;
    assert.ok(await until(() => outcomes.length >= tried + 6, 30_000));
    const isAdmitted = (line: LogLine) => line.message === "login" && line.outcome === "admit";
    assert.deepEqual(
      agentLog(world).slice(since).filter(isAdmitted),
      [],
      "nobody, with a lease and without the list",
    );

    await logged(world, ({ message }) => message === "revocations are missing here", since);
    between.release();
    assert.ok(await until(() => outcomes.some(({ stdout }) => stdout === "in\n"), 20_000));
    await pause(0);
    hammering = false;
    await Promise.all(hammers);
    assert.ok(outcomes.every(({ name, stdout }) => name === "alice" || stdout === ""));
    // In the agent's own order: the list, and only then anybody.
    const lines = agentLog(world).slice(since);
    const applied = lines.findIndex(({ message }) => message === "revocation");
    assert.ok(applied >= 0 && applied < lines.findIndex(isAdmitted));
    const refused = await run(dave);
    assert.match(refused.stderr, /^sallyport: Your access was revoked .*: left/m);
  });
});
