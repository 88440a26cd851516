import assert from "node:assert/strict";
import { until } from "../../../demo/light-host/until.ts";
import { logged } from "../../fixtures/agent-log.ts";
import { run } from "../../fixtures/processes.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

/** What a contractor leaves running is ended with the session that left it, whatever it detached itself from. */
describe("what a session leaves behind", () => {
  let world: World;
  let alice: Person;
  before(async () => {
    world = await startWorld({ engagements: [{ name: "web", members: ["alice"] }] });
    alice = await world.signedIn("alice");
  });
  after(() => world.close());

  const runs = async (name: string) => (await world.host.run(["pgrep", "-f", `^${name}`])).stdout !== "";

  const ways: [how: string, command: (name: string) => string][] = [
    ["nohup", (name) => `nohup bash -c 'exec -a ${name} sleep 3000' >/dev/null 2>&1 &`],
    ["setsid", (name) => `setsid -f bash -c 'exec -a ${name} sleep 3000' >/dev/null 2>&1 </dev/null`],
    [
      "a double fork",
      (name) => `( ( setsid bash -c 'exec -a ${name} sleep 3000' >/dev/null 2>&1 </dev/null & ) & )`,
    ],
    ["tmux", (name) => `tmux -L ${name} new-session -d "bash -c 'exec -a ${name} sleep 3000'"`],
    [
      "screen",
      (name) => `mkdir -m 700 ~/s; SCREENDIR=~/s screen -dmS ${name} bash -c 'exec -a ${name} sleep 3000'`,
    ],
    [
      "a shim that is killed first",
      (name) =>
        `setsid -f bash -c 'exec -a ${name} sleep 3000' >/dev/null 2>&1 </dev/null; kill -9 $(ps -o ppid= $$)`,
    ],
  ];
  for (const [index, [how, command]] of ways.entries()) {
    it(`by ${how} is ended with it`, async () => {
      const name = `left-${index}-behind`;
      const terminal = new TerminalClient(alice.ssh("web-1"), { env: alice.env });
      await terminal.shows(/\$ $/);
      terminal.type(`${command(name)}\r`);
      // It does run, so there is something to end.
      if (!how.includes("killed")) {
        assert.ok(await until(() => runs(name), 5_000));
        terminal.type("exit\r");
      }
      await terminal.exited;
      assert.ok(await until(async () => !(await runs(name)), 3_000));
      await logged(world, (line) => JSON.stringify(line.processes ?? "").includes(name));
    });
  }

  it("goes while the connection stays, and the other session on it goes on", async () => {
    const path = `${alice.home}/mux`;
    const options = ["-o", "ControlMaster=auto", "-o", `ControlPath=${path}`, "-o", "ControlPersist=30"];
    const first = new TerminalClient(alice.ssh(...options, "web-1"), { env: alice.env });
    await first.shows(/\$ $/);
    first.type("bash -c 'exec -a stays-here sleep 3000' &\r");
    assert.ok(await until(() => runs("stays-here"), 5_000));
    const name = "second-left-this";
    const second = await run(
      alice.ssh(
        ...options,
        "web-1",
        `setsid -f bash -c 'exec -a ${name} sleep 3000' >/dev/null 2>&1 </dev/null; echo started`,
      ),
      { env: alice.env },
    );
    assert.equal(second.stdout.toString(), "started\n");
    assert.ok(await until(async () => !(await runs(name)), 3_000));
    assert.ok(await runs("stays-here"));
    first.type("echo still-$((40+2))\r");
    await first.shows(/still-42/);
    first.type("exit\r");
    await first.exited;
    await run(["ssh", "-O", "exit", "-o", `ControlPath=${path}`, "web-1"], { env: alice.env });
    assert.ok(await until(async () => !(await runs("stays-here")), 3_000));
  });

  it("is ended also where sudo has made it root's, but for sshd itself, which administrators get in by", async () => {
    await world.host.run(
      ["sh", "-c", "mkdir -p /run/sshd; cat > /etc/sudoers.d/deploy; chmod 440 /etc/sudoers.d/deploy"],
      {
        input: "deploy ALL=(root) NOPASSWD: ALL\n",
      },
    );
    const name = "roots-own";
    const command = `sudo setsid -f bash -c 'exec -a ${name} sleep 3000' >/dev/null 2>&1 </dev/null; sudo /usr/sbin/sshd -p 21022 -o PidFile=/run/second.pid; echo started`;
    const { stdout } = await run(alice.ssh("web-1", command), { env: alice.env });
    assert.match(stdout.toString(), /started/);
    await logged(world, (line) => JSON.stringify(line.processes ?? "").includes(name));
    assert.equal(await runs(name), false);
    const listener = await world.host.run(["sh", "-c", "kill -0 $(cat /run/second.pid) && echo there"]);
    assert.equal(listener.stdout, "there\n");
    await world.host.run(["sh", "-c", "kill $(cat /run/second.pid); rm /etc/sudoers.d/deploy"]);
  });
});
