import assert from "node:assert/strict";
import { AGENT } from "../../../demo/light-host/agent.ts";
import { agentLog } from "../../fixtures/agent-log.ts";
import { run } from "../../fixtures/processes.ts";
import { sessionWhere } from "../../fixtures/sessions.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

describe("two agents started at once", () => {
  let world: World;
  let alice: Person;
  let terminal: TerminalClient;

  before(async () => {
    world = await startWorld({ engagements: [{ name: "web", members: ["alice"] }] });
    alice = await world.signedIn("alice");
    terminal = new TerminalClient(alice.ssh("-q", "web-1"), { env: alice.env });
    await terminal.shows(/\$ $/);
  });
  after(() => world.close());

  const second = () => world.host.run([...AGENT, "run"]);

  it("is one: the other says why, and ends, however often it is tried", async () => {
    const pid = world.host.agentPid();
    for (const { status, stderr } of await Promise.all([second(), second()])) {
      assert.equal(status, 1);
      assert.equal(
        stderr,
        "sallyport-agent: Another agent runs on this host already, and one is all there may be. `sallyport-agent status` shows it.\n",
      );
    }
    assert.equal(world.host.agentPid(), pid);
  });

  it("takes nothing from the one that runs: sessions, sockets, link", async () => {
    terminal.type("echo st''ill here\r");
    await terminal.shows(/\rstill here\r\n/);
    const login = await run(alice.ssh("web-1", "echo in"), { env: alice.env });
    assert.equal(login.stdout.toString(), "in\n");
    assert.equal(agentLog(world).filter(({ message }) => message === "the control plane is gone").length, 0);
    terminal.type("exit 91\r");
    assert.equal(await terminal.exited, 91);
    const { id } = await sessionWhere(alice, (one) => one.exitStatus === 91);
    const raw = await alice.sallyport(["export", id, "--format", "raw"]);
    assert.ok(raw.stdout.equals(terminal.bytes));
  });

  it("leaves the place to the next as soon as the first is dead", async () => {
    await world.host.killAgent("SIGKILL");
    await world.host.agentReady();
    assert.equal((await run(alice.ssh("web-1", "echo in"), { env: alice.env })).stdout.toString(), "in\n");
  });
});
