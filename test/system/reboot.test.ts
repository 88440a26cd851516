import assert from "node:assert/strict";
import { connect } from "node:net";
import { until } from "../../demo/light-host/until.ts";
import { run } from "../fixtures/processes.ts";
import { castEvents, sessionWhere } from "../fixtures/sessions.ts";
import { TerminalClient } from "../fixtures/terminal.ts";
import type { WholeHost } from "../fixtures/whole-host.ts";
import { type Person, startWorld, type World } from "../fixtures/world.ts";
import { packagedHost } from "./support/packaged-host.ts";

describe("a reboot of a host that has the agent's package", () => {
  let world: World<WholeHost>;
  let alice: Person;
  let carol: Person;
  before(async function () {
    this.timeout(300_000);
    world = await startWorld({
      host: packagedHost("bookworm"),
      engagements: [
        { name: "web", members: ["alice"] },
        { name: "own", members: ["carol"], accounts: [], personal: {} },
      ],
    });
    alice = await world.signedIn("alice");
    carol = await world.signedIn("carol");
  });
  after(() => world?.close());

  const listens = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(world.host.port, world.host.address);
      socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
      socket.on("connect", () => socket.destroy());
    });
  const show = async (unit: string, property: string) =>
    Number(
      await world.host.machine.mustRun(["systemctl", "show", "--value", `--property=${property}`, unit]),
    );

  it("closes recordings properly, uploads them after boot, and takes contractors when the agent is ready", async function () {
    this.timeout(120_000);
    const terminals = await Promise.all(
      [alice, carol].map(async (person) => {
        const terminal = new TerminalClient(person.ssh("web-1"), { env: person.env });
        await terminal.shows(/\$ $/);
        terminal.type("echo before-$((40+2)); sleep 3000\r");
        await terminal.shows(/before-42/);
        return terminal;
      }),
    );
    const rebooted = world.host.reboot();
    assert.ok(await until(async () => !(await listens()), 60_000), "sshd does not end");
    assert.ok(await until(listens, 60_000), "sshd does not come back");
    // The very first that can be: it waits for what it needs.
    const first = await run(alice.ssh("web-1", "echo back"), { env: alice.env });
    assert.equal(String(first.stdout), "back\n", first.stderr);
    await rebooted;
    for (const terminal of terminals) assert.notEqual(await terminal.exited, 0);
    for (const person of [alice, carol]) {
      const session = await sessionWhere(person, (one) => one.kind === "pty" && one.state === "ended");
      const cast = await castEvents(person, session.id);
      assert.match(cast.map(([, , data]) => data).join(""), /before-42/);
      const verified = await person.sallyport(["verify", session.id]);
      assert.equal(verified.status, 0, String(verified.stderr));
    }
    const ready = await show("sallyport-agent.service", "ActiveEnterTimestampMonotonic");
    const sshd = await show("ssh.service", "ExecMainStartTimestampMonotonic");
    assert.ok(ready > 0 && ready <= sshd, `agent ready at ${ready} µs, sshd started at ${sshd} µs`);
  });
});
