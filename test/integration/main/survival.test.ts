import assert from "node:assert/strict";
import { run } from "../../fixtures/processes.ts";
import { sessionWhere } from "../../fixtures/sessions.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

/** Time that the control plane is away for in mid-session. */
const AWAY_MS = 30_000;

describe("a session outlives", () => {
  let world: World;
  let alice: Person;

  before(async () => {
    world = await startWorld({ engagements: [{ name: "web", members: ["alice"] }] });
    alice = await world.signedIn("alice");
  });
  after(() => world.close());

  async function open(): Promise<TerminalClient> {
    const terminal = new TerminalClient(alice.ssh("-q", "web-1"), { env: alice.env });
    await terminal.shows(/\$ $/);
    return terminal;
  }

  async function say(terminal: TerminalClient, word: string): Promise<void> {
    terminal.type(`echo ${word}\r`);
    await terminal.shows(new RegExp(`\\r${word}\\r\\n`));
  }

  /** The recording holds exactly what the terminal got, has its end, and verifies. */
  async function isWhole(terminal: TerminalClient, status: number): Promise<void> {
    const { id } = await sessionWhere(alice, (one) => one.exitStatus === status);
    const raw = await alice.sallyport(["export", id, "--format", "raw"]);
    assert.ok(raw.stdout.equals(terminal.bytes), "every byte that was shown, once");
    assert.equal((await alice.sallyport(["verify", id])).status, 0);
  }

  it("kill -9 of the agent, and its recording is whole", async () => {
    const terminal = await open();
    await say(terminal, "before");
    await world.host.killAgent("SIGKILL");
    await say(terminal, "while-it-was-away");
    await world.host.agentReady();
    await say(terminal, "after");
    // The connection was admitted by the agent that died; the new one knows it, and takes a new login as well.
    assert.equal(
      (await run(alice.ssh("web-1", "echo also new ones"), { env: alice.env })).stdout.toString(),
      "also new ones\n",
    );
    terminal.type("exit 31\r");
    assert.equal(await terminal.exited, 31);
    await isWhole(terminal, 31);
  });

  it("an agent that is away when it ends", async () => {
    const terminal = await open();
    await say(terminal, "before");
    await world.host.stopAgent();
    terminal.type("exit 32\r");
    assert.equal(await terminal.exited, 32);
    await world.host.startAgent();
    await isWhole(terminal, 32);
  });

  it("a control plane that is away for 30 s, and nothing is lost", async () => {
    const terminal = await open();
    await say(terminal, "before");
    await world.stopControlPlane("SIGKILL");
    const back = performance.now() + AWAY_MS;
    terminal.type("i=0; while [ $i -lt 30 ]; do echo line $i; i=$((i+1)); sleep 1; done; echo counted\r");
    await terminal.shows(/\rcounted\r\n|\ncounted\r\n/);
    // A new login is admitted meanwhile: policy and keys are on the host.
    assert.equal(
      (await run(alice.ssh("web-1", "echo offline"), { env: alice.env })).stdout.toString(),
      "offline\n",
    );
    assert.ok(performance.now() >= back - 1_500, "the control plane was away all the time");
    await world.startControlPlane();
    await say(terminal, "after");
    terminal.type("exit 33\r");
    assert.equal(await terminal.exited, 33);
    await isWhole(terminal, 33);
  });

  it("nothing when its recorder is killed: it ends, and what was shown is recorded", async () => {
    const terminal = await open();
    await say(terminal, "the last thing shown");
    for (const pid of world.host.recorderPids()) process.kill(pid, "SIGKILL");
    await terminal.exited;
    const { id } = await sessionWhere(alice, (one) => one.endReason === "recorder-lost");
    const raw = await alice.sallyport(["export", id, "--format", "raw"]);
    assert.ok(raw.stdout.includes("the last thing shown\r\n"));
    assert.equal((await alice.sallyport(["verify", id])).status, 0);
  });
});
