import assert from "node:assert/strict";
import { run } from "../../fixtures/processes.ts";
import { sessionWhere } from "../../fixtures/sessions.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

describe("the limits of a session", () => {
  let world: World;
  let alice: Person;
  let carol: Person;
  let dave: Person;
  before(async () => {
    world = await startWorld({
      engagements: [
        { name: "quiet", members: ["alice"], limits: { idle: 30 } },
        { name: "brief", members: ["carol"], limits: { longest: 60 } },
        { name: "few", members: ["dave"], limits: { concurrent: 2 } },
      ],
    });
    alice = await world.signedIn("alice");
    carol = await world.signedIn("carol");
    dave = await world.signedIn("dave");
  });
  after(() => world.close());

  const open = async (person: Person): Promise<TerminalClient> => {
    const terminal = new TerminalClient(person.ssh("web-1"), { env: person.env });
    await terminal.shows(/\$ $/);
    return terminal;
  };

  // Both take their time, so they take it together.
  it("end one in which nothing is typed, with a warning first that typing takes back; and one that lasts too long", () =>
    Promise.all([endsIdle(), endsLate()])).timeout(90_000);

  async function endsIdle(): Promise<void> {
    const terminal = await open(alice);
    await terminal.shows(/sallyport: This session ends in 10 s unless you type something\./);
    const begun = performance.now();
    terminal.type("echo still-$((40+2))\r");
    await terminal.shows(/still-42/);
    await terminal.exited;
    assert.ok(performance.now() - begun > 29_000, "30 s from the last key");
    assert.match(terminal.text, /sallyport: Nothing was typed for 30 s\. This session ends now\./);
    const session = await sessionWhere(alice, (one) => one.state === "ended");
    assert.equal(session.endReason, "idle");
  }

  async function endsLate(): Promise<void> {
    const terminal = await open(carol);
    terminal.type("while :; do echo busy; sleep 1; done\r");
    await terminal.shows(/sallyport: This session ends in 20 s: it may last 60 s\./);
    await terminal.exited;
    assert.match(terminal.text, /sallyport: This session has lasted 60 s, as long as its engagement allows/);
    const session = await sessionWhere(carol, (one) => one.state === "ended");
    assert.equal(session.endReason, "too-long");
  }

  it("refuse one more than a member may have at a time, and count anew when one is over", async () => {
    const [first, second] = [await open(dave), await open(dave)];
    const third = await run(dave.ssh("web-1", "true"), { env: dave.env });
    assert.equal(third.status, 254);
    assert.match(
      third.stderr,
      /^sallyport: Engagement few allows 2 sessions at a time on this host, and you have 2\./,
    );
    first.type("exit\r");
    await first.exited;
    const again = await run(dave.ssh("web-1", "echo in"), { env: dave.env });
    assert.equal(again.stdout.toString(), "in\n");
    second.type("exit\r");
    await second.exited;
  });
});
