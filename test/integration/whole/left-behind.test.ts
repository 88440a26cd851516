import assert from "node:assert/strict";
import { until } from "../../../demo/light-host/until.ts";
import { agentLog, logged } from "../../fixtures/agent-log.ts";
import { run } from "../../fixtures/processes.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import type { WholeHost } from "../../fixtures/whole-host.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

const COMPANYS = "0 3 1 1 * true # the company's own\n";
/** cron looks once a minute. */
const MINUTE_MS = 75_000;

/** On a booted Debian: what logind, cron, at and user managers would run on for a contractor who has left. */
describe("what a login leaves behind on a whole host", () => {
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
  after(() => { console.log(agentLog(world).slice(-25).map((l)=>JSON.stringify(l)).join("\n")); return world?.close() });

  const asRoot = async (...argv: string[]) => (await world.host.run(argv)).stdout;
  const runs = async (name: string) => (await asRoot("pgrep", "-f", `^${name}`)) !== "";
  const saysOf = (name: string) => (line: { processes?: unknown }) =>
    JSON.stringify(line.processes ?? "").includes(name);
  const ssh = (person: Person, command: string) => run(person.ssh("web-1", command), { env: person.env });
  const opened = async (person: Person) => {
    const terminal = new TerminalClient(person.ssh("web-1"), { env: person.env });
    await terminal.shows(/\$ $/);
    return terminal;
  };
  const closed = async (terminal: TerminalClient) => {
    terminal.type("exit\r");
    await terminal.exited;
  };
  const sleeper = (name: string) => `bash -c "exec -a ${name} sleep 3000"`;

  describe("in an account of the host's that is shared", () => {
    const ways: [how: string, name: string, command: string][] = [
      ["setsid", "shared-setsid", `setsid -f ${sleeper("shared-setsid")} >/dev/null 2>&1 </dev/null`],
      ["nohup", "shared-nohup", `nohup ${sleeper("shared-nohup")} >/dev/null 2>&1 &`],
      ["tmux", "shared-tmux", `tmux -L t new-session -d '${sleeper("shared-tmux")}'`],
      ["systemd-run --user", "shared-run", `systemd-run --user ${sleeper("shared-run")}`],
      ["systemd-run --user --scope", "shared-scope", `systemd-run --user --scope ${sleeper("shared-scope")} &`],
      [
        "a user timer",
        "shared-timer",
        `systemd-run --user --on-active=1 --timer-property=AccuracySec=10ms ${sleeper("shared-timer")}`,
      ],
      ["at now", "shared-at", `echo '${sleeper("shared-at")}' | at now`],
      ["dbus-run-session", "shared-dbus", `setsid -f dbus-run-session ${sleeper("shared-dbus")} </dev/null`],
    ];
    for (const [how, name, command] of ways) {
      it(`what ${how} started ends with the login`, async () => {
        const terminal = await opened(alice);
        terminal.type(`${command}\r`);
        assert.ok(await until(() => runs(name), 8_000), "it runs, so there is something to end");
        await closed(terminal);
        assert.ok(await until(async () => !(await runs(name)), 3_000));
        await logged(world, saysOf(name));
      });
    }

    it("at jobs that wait are removed; the company's own stay", async () => {
      await world.host.run(["at", "now + 1 day"], { input: "true\n", uid: "deploy" });
      const outcome = await ssh(alice, "echo true | at now + 2 minutes; echo true | batch; atq | wc -l");
      assert.match(outcome.stdout.toString(), /^[23]\n$/);
      assert.ok(await until(async () => (await asRoot("atq")).trim().split("\n").length === 1, 3_000));
      await logged(world, saysOf("at job"));
      await asRoot("sh", "-c", "rm -f /var/spool/cron/atjobs/a*");
    });

    it("a crontab is put back as it was, and one that there was none of is removed", async () => {
      const mine = `(crontab -l; echo '0 0 * * * true # left by a contractor') | crontab -; crontab -l`;
      for (const before of ["", COMPANYS]) {
        if (before !== "") await world.host.run(["crontab", "-u", "deploy", "-"], { input: before });
        const { stdout } = await ssh(alice, mine);
        assert.match(stdout.toString(), /left by a contractor/);
        assert.ok(await until(async () => (await asRoot("crontab", "-l", "-u", "deploy")) === before, 3_000));
      }
      const spool = "/var/spool/cron/crontabs/deploy";
      assert.equal((await asRoot("stat", "-c", "%a %U %G", spool)).trim(), "600 deploy crontab");
    });

    it("user services of an account that lingers are the company's, and are reported", async () => {
      await asRoot("loginctl", "enable-linger", "deploy");
      await ssh(alice, `systemd-run --user ${sleeper("shared-linger")}`);
      const line = await logged(world, (one) => one.code === "left-running");
      assert.match(String(line.detail), /shared-linger/);
      assert.ok(await runs("shared-linger"));
      await asRoot("loginctl", "disable-linger", "deploy");
      await asRoot("systemctl", "stop", "user@1000.service");
    });
  });

  describe("in an account of the member's own", () => {
    it("there is no user manager, so nothing is left with it", async () => {
      const outcome = await ssh(carol, `systemd-run --user ${sleeper("own-run")}`);
      assert.match(outcome.stderr, /Failed to connect to bus/);
      assert.match((await ssh(carol, "loginctl enable-linger")).stderr, /denied/i);
      assert.equal(await asRoot("ls", "/var/lib/systemd/linger"), "");
      assert.equal(await runs("own-run"), false);
    });

    it("what at starts is ended within 2 s, while the session goes on", async () => {
      const terminal = await opened(carol);
      terminal.type(`echo '${sleeper("own-at")}' | at now\r`);
      await logged(world, saysOf("own-at"));
      assert.equal(await runs("own-at"), false);
      terminal.type("echo still-$((40+2))\r");
      await terminal.shows(/still-42/);
      await closed(terminal);
    });

    it("jobs of at and cron go with the last login, also when the session was killed", async () => {
      const outcome = await ssh(
        carol,
        `echo true | at now + 2 minutes; echo '* * * * * true' | crontab -; kill -9 $PPID`,
      );
      assert.notEqual(outcome.status, 0);
      assert.ok(await until(async () => (await asRoot("atq")) === "", 3_000));
      assert.ok(await until(async () => (await asRoot("crontab", "-l", "-u", "carol-vendor")) === "", 3_000));
      await logged(world, saysOf("jobs of at or cron"));
    });

    it("another login of the same account goes on when one ends", async () => {
      const terminal = await opened(carol);
      for (let turn = 0; turn < 3; turn++) assert.equal((await ssh(carol, "true")).status, 0);
      terminal.type("echo still-$((41+2))\r");
      await terminal.shows(/still-43/);
      await closed(terminal);
    });
  });

  it("what cron has started ends with the login; in an account of the member's own at once", async function () {
    this.timeout(2 * MINUTE_MS);
    const since = agentLog(world).length;
    const terminals = [await opened(alice), await opened(carol)] as const;
    const entry = (name: string) =>
      `echo "* * * * * bash -c 'exec -a ${name} sleep 3000'" | crontab - && echo placed-$((40+4))\r`;
    terminals[0].type(entry("shared-cron"));
    terminals[1].type(entry("own-cron"));
    await Promise.all(terminals.map((terminal) => terminal.shows(/placed-44/)));
    const killed = () => agentLog(world).slice(since).some(saysOf("own-cron"));
    assert.ok(await until(killed, MINUTE_MS));
    assert.ok(await until(() => runs("shared-cron"), MINUTE_MS));
    // Taken back before the end, it is still known for what it was.
    terminals[0].type("crontab -r\r");
    await Promise.all(terminals.map(closed));
    assert.ok(await until(async () => !(await runs("shared-cron")), 3_000));
    assert.equal(await asRoot("crontab", "-l", "-u", "deploy"), COMPANYS);
    assert.equal(await asRoot("crontab", "-l", "-u", "carol-vendor"), "");
  });
});
