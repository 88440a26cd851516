import assert from "node:assert/strict";
import { until } from "../../../demo/light-host/until.ts";
import { logged } from "../../fixtures/agent-log.ts";
import { run } from "../../fixtures/processes.ts";
import { castEvents, sessionWhere } from "../../fixtures/sessions.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import type { WholeHost } from "../../fixtures/whole-host.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

/** On a booted Debian: the agent's service is restarted, and the host booted again, while sessions are open. */
describe("restarts of a whole host", () => {
  let world: World<WholeHost>;
  let alice: Person;
  let carol: Person;
  before(async function () {
    this.timeout(180_000); // the first time, Debian's packages are fetched
    world = await startWorld({
      host: "whole",
      engagements: [
        { name: "web", members: ["alice"] },
        { name: "own", members: ["carol"], accounts: [], personal: {} },
      ],
    });
    alice = await world.signedIn("alice");
    carol = await world.signedIn("carol");
    await logged(world, (line) => line.message === "account-created");
  });
  after(() => world?.close());

  const asRoot = async (...argv: string[]) => (await world.host.run(argv)).stdout;
  const opened = async (person: Person) => {
    const terminal = new TerminalClient(person.ssh("web-1"), { env: person.env });
    await terminal.shows(/\$ $/);
    return terminal;
  };

  it("doctor finds nothing wrong with a freshly installed server", async () => {
    const doctor = [process.execPath, `${import.meta.dirname}/../../../agent/src/main.ts`, "doctor"];
    const { status, stdout } = await world.host.run(doctor);
    assert.equal(status, 0, stdout);
  });

  it("each session is in a scope of logind's, which is gone after it", async () => {
    const terminal = await opened(alice);
    terminal.type("cat /proc/self/cgroup | tail -n 1\r");
    const shown = await terminal.shows(/session-\S+\.scope/);
    const [scope = ""] = /session-\S+\.scope/.exec(shown) ?? [];
    assert.match(await asRoot("loginctl", "--no-legend"), /deploy/);
    assert.equal((await asRoot("systemctl", "is-active", scope)).trim(), "active");
    terminal.type("exit\r");
    await terminal.exited;
    assert.ok(await until(async () => (await asRoot("loginctl", "--no-legend")).trim() === "", 3_000));
  });

  it("sessions go on while the agent's service is restarted, and are still watched", async () => {
    const terminal = await opened(carol);
    await world.host.stopAgent();
    terminal.type("echo 'sleep 3000' | at now; echo still-$((40+2))\r");
    await terminal.shows(/still-42/);
    assert.ok(await until(async () => (await asRoot("pgrep", "-x", "sleep")) !== "", 5_000));
    await world.host.startAgent();
    assert.ok(await until(async () => (await asRoot("pgrep", "-x", "sleep")) === "", 3_000));
    terminal.type("echo still-$((41+2)); exit\r");
    await terminal.shows(/still-43/);
    assert.equal(await terminal.exited, 0);
    assert.ok(await until(async () => (await asRoot("atq")) === "", 3_000));
  });

  it("a reboot ends sessions; their recordings are whole, and their jobs are gone after it", async function () {
    this.timeout(120_000);
    const terminals = [await opened(alice), await opened(carol)] as const;
    for (const terminal of terminals) {
      terminal.type("echo '@reboot sleep 3000' | crontab -; echo seen-before-$((40+2))\r");
      await terminal.shows(/seen-before-42/);
    }
    await world.host.reboot();
    for (const terminal of terminals) assert.notEqual(await terminal.exited, 0);
    for (const person of [alice, carol]) {
      const session = await sessionWhere(
        person,
        (one) => one.kind === "shell" && one.state !== "ended",
        500,
      ).catch(() => null);
      assert.equal(session, null, JSON.stringify(session));
      const ended = await sessionWhere(person, (one) => one.state === "ended" && one.endReason !== "exit");
      assert.match((await castEvents(person, ended.id)).map(([, , data]) => data).join(""), /seen-before-42/);
    }
    assert.ok(await until(async () => (await asRoot("pgrep", "-x", "sleep")) === "", 5_000));
    for (const account of ["deploy", "carol-vendor"])
      assert.equal(await asRoot("crontab", "-l", "-u", account), "");
    const after = await run(alice.ssh("web-1", "echo back"), { env: alice.env });
    assert.equal(after.stdout.toString(), "back\n", after.stderr);
  });
});
