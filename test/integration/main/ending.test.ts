import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { agentLog, logged } from "../../fixtures/agent-log.ts";
import { run } from "../../fixtures/processes.ts";
import { type ListedSession, sessionWhere } from "../../fixtures/sessions.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

describe("the end of access", () => {
  let world: World;
  let alice: Person;
  let carol: Person;
  let dave: Person;
  let sam: Person;

  before(async () => {
    world = await startWorld({
      engagements: [
        { name: "web", members: ["alice"] },
        { name: "cancelled", members: ["carol"] },
        { name: "short", members: ["dave"] },
        { name: "idle", members: ["bob"], mfa: { level: "none", maxAge: null } },
      ],
    });
    alice = await world.signedIn("alice");
    carol = await world.signedIn("carol");
    dave = await world.signedIn("dave");
    sam = await world.signedIn("sam");
  });
  after(() => world.close());

  async function openSession(person: Person): Promise<{ terminal: TerminalClient; session: ListedSession }> {
    const terminal = new TerminalClient(person.ssh("web-1"), { env: person.env });
    await terminal.shows(/\$ $/);
    return { terminal, session: await sessionWhere(person, (one) => one.state === "live") };
  }

  async function endsWithin(terminal: TerminalClient, begun: number, milliseconds: number): Promise<void> {
    await terminal.exited;
    assert.ok(
      performance.now() - begun < milliseconds,
      `it took ${Math.round(performance.now() - begun)} ms`,
    );
  }

  it("comes by itself when the engagement ends, with a warning before and the reason after", async () => {
    const { terminal } = await openSession(dave);
    const shortEnd = new Date(Math.ceil(Date.now() / 1000) * 1000 + 4_000);
    await world.applyPolicy([{ name: "short", members: ["dave"], end: shortEnd }]);
    await terminal.shows(/sallyport: engagement short ends in 1 min/);
    await terminal.exited;
    const late = Date.now() - shortEnd.getTime();
    assert.ok(late >= 0 && late < 2_000, `${late} ms after the end`);
    assert.match(
      terminal.text,
      /sallyport: Engagement short ended .* Ask dana@company\.test\. This session ends now\./,
    );
    const session = await sessionWhere(dave, (one) => one.state === "ended");
    assert.equal(session.endReason, "engagement-ended");
    const again = await run(dave.ssh("web-1", "true"), { env: dave.env });
    assert.match(again.stderr, /sallyport: Engagement short ended/);
  });

  it("comes within 1 s of `sallyport revoke SESSION`, and the next login says why", async () => {
    const { terminal, session } = await openSession(alice);
    const begun = performance.now();
    const revoked = sam.sallyport(["revoke", session.id, "--reason", "laptop stolen"]);
    await endsWithin(terminal, begun, 1_000 + 700); // the command's own start and its request come before the second
    assert.match(terminal.text, /revoked .* by .*: laptop stolen/);
    const outcome = await revoked;
    assert.equal(outcome.status, 0, outcome.stderr);
    assert.ok(outcome.stdout.includes(session.id), "the answer names the session it ended");
    assert.equal(
      (await sessionWhere(alice, (one) => one.id === session.id && one.state === "ended")).endReason,
      "revoked",
    );

    const again = await run(alice.ssh("web-1", "true"), { env: alice.env });
    assert.equal(again.status, 254);
    assert.match(
      again.stderr,
      /^sallyport: Your certificate was revoked .*: laptop stolen\. Ask dana@company\.test\./,
    );
    const why = await alice.sallyport(["why"]);
    assert.match(why.stdout.toString(), /laptop stolen/);
  });

  it("comes for a member with all that was left running, and no new certificate is given", async () => {
    assert.equal((await alice.signIn({ force: true })).status, 0);
    const { terminal } = await openSession(alice);
    terminal.type("(exec -a in-the-background sleep 3002) & echo started\r");
    await terminal.shows(/\nstarted\r\n/);
    const outcome = await sam.sallyport([
      "revoke",
      "alice@vendor.test",
      "--reason",
      "contract ended",
      "--json",
    ]);
    assert.equal(outcome.status, 0, outcome.stderr);
    await terminal.exited;
    assert.equal((await world.host.run(["pgrep", "-f", "in-the-background"])).stdout, "");
    const login = await alice.signIn({ force: true });
    assert.equal(login.status, 6);
    assert.match(login.stderr, /contract ended/);
  });

  it("comes with `sallyport engagement end`, live sessions included", async () => {
    const { terminal } = await openSession(carol);
    const begun = performance.now();
    const ending = sam.sallyport(["engagement", "end", "cancelled", "--reason", "project stopped"]);
    await endsWithin(terminal, begun, 1_700);
    assert.equal((await ending).status, 0);
    assert.match(terminal.text, /Engagement cancelled ended .*project stopped/);
    const again = await run(carol.ssh("web-1", "true"), { env: carol.env });
    assert.match(again.stderr, /sallyport: Engagement cancelled ended .*project stopped/);
  });

  it("comes for a connection without a session as well", async () => {
    const bob = await world.signedIn("bob");
    const since = agentLog(world).length;
    const [program = "", ...args] = bob.ssh("-N", "web-1");
    const idle = spawn(program, args, { env: bob.env, stdio: "ignore" });
    const gone = once(idle, "exit");
    await logged(world, (line) => line.message === "login" && line.outcome === "admit", since);
    assert.equal(
      (await sam.sallyport(["revoke", "bob@vendor.test", "--reason", "contract ended"])).status,
      0,
    );
    await gone;
  });

  it("is not a contractor's to order", async () => {
    const outcome = await carol.sallyport(["revoke", "dave@vendor.test"]);
    assert.equal(outcome.status, 6);
  });
});
