import assert from "node:assert/strict";
import { AGENT, SHIM } from "../../../demo/light-host/agent.ts";
import { until } from "../../../demo/light-host/until.ts";
import { run } from "../../fixtures/processes.ts";
import { sessionWhere } from "../../fixtures/sessions.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

const MAIN = AGENT[1] ?? "";

describe("an upgrade with sessions open", () => {
  let world: World;
  let alice: Person;
  let terminal: TerminalClient;
  let old: number[];

  before(async () => {
    world = await startWorld({ engagements: [{ name: "web", members: ["alice"] }] });
    alice = await world.signedIn("alice");
    terminal = new TerminalClient(alice.ssh("-q", "web-1"), { env: alice.env });
    await terminal.shows(/\$ $/);
    old = world.host.recorderPids();
  });
  after(() => world.close());

  const say = async (word: string) => {
    terminal.type(`echo ${word}\r`);
    await terminal.shows(new RegExp(`\\r${word}\\r\\n`));
  };
  const versions = async () => {
    const status = await world.host.run([...AGENT, "status", "--json"]);
    const { recorders } = JSON.parse(status.stdout) as { recorders: { version: string }[] };
    return recorders.map(({ version }) => version).sort();
  };

  it("ends none: the program and the shim are replaced, and the agent starts anew", async () => {
    // As a package does it: a new file in the place of the old one, for this host alone.
    const { status, stderr } = await world.host.run([
      ...["sh", "-c", 'set -e; sed s/0.1.0/0.2.0/ "$0" > /root/main.ts; mount --bind /root/main.ts "$0"'],
      ...[MAIN],
    ]);
    assert.equal(status, 0, stderr);
    const shim = await world.host.run([
      "sh",
      "-c",
      'cp "$0" /root/shim; install -m 0711 /root/shim "$0"',
      SHIM,
    ]);
    assert.equal(shim.status, 0, shim.stderr);
    await say("while-it-is-replaced");
    await world.host.stopAgent();
    await say("without-an-agent");
    await world.host.startAgent();
    await say("after-the-upgrade");
  });

  it("gives new sessions to the new version's recorders, and the old one keeps what it has", async () => {
    const login = await run(alice.ssh("web-1", "echo new"), { env: alice.env });
    assert.equal(login.stdout.toString(), "new\n");
    assert.ok((await versions()).includes("0.2.0"));
    assert.equal((await versions()).filter((version) => version === "0.1.0").length, 1);
    await say("still-here");
  });

  it("has all of it in one recording, and the old recorder leaves", async () => {
    terminal.type("exit 95\r");
    assert.equal(await terminal.exited, 95);
    const { id } = await sessionWhere(alice, (one) => one.exitStatus === 95);
    const raw = await alice.sallyport(["export", id, "--format", "raw"]);
    assert.ok(raw.stdout.equals(terminal.bytes));
    assert.equal((await alice.sallyport(["verify", id])).status, 0);
    const left = () => world.host.recorderPids().filter((pid) => old.includes(pid));
    assert.ok(await until(() => left().length === 0, 5_000), "no recorder of the old version is left");
  });
});
