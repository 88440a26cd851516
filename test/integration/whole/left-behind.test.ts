import assert from "node:assert/strict";
import { until } from "../../../demo/light-host/until.ts";
import { agentLog, type LogLine, logged } from "../../fixtures/agent-log.ts";
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
  let cronTerminals: [shared: TerminalClient, own: TerminalClient];
  before(async function () {
    this.timeout(180_000); // the first time, Debian's packages are fetched
    world = await startWorld({
      host: "whole",
      engagements: [
        { name: "web", members: ["alice"] },
        { name: "own", members: ["carol"], accounts: [], personal: {} },
        { name: "cron", members: ["dave"], accounts: ["ops"], personal: {} },
      ],
      accounts: [{ name: "deploy" }, { name: "ops" }],
    });
    for (const account of ["carol-vendor", "dave-vendor"])
      await logged(world, (line) => line.message === "account-created" && line.account === account);
    const dave = await world.signedIn("dave");
    alice = await world.signedIn("alice");
    carol = await world.signedIn("carol");
    // While the others have their turn, a minute passes.
    cronTerminals = [await opened(dave, "ops"), await opened(dave, "dave-vendor")];
    for (const [index, terminal] of cronTerminals.entries()) {
      const name = ["shared-cron", "own-cron"][index];
      terminal.type(
        `echo "* * * * * bash -c 'exec -a ${name} sleep 3000'" | crontab - && echo placed-$((40+4))\r`,
      );
      await terminal.shows(/placed-44/);
    }
  });
  after(() => world?.close());

  const asRoot = async (...argv: string[]) => (await world.host.run(argv)).stdout;
  const runs = async (name: string) => (await asRoot("pgrep", "-f", `^${name}`)) !== "";
  const saysOf = (name: string) => (line: LogLine) => JSON.stringify(line.processes ?? "").includes(name);
  const ssh = (person: Person, command: string) => run(person.ssh("web-1", command), { env: person.env });
  const onceIn = async (ms: number, check: () => boolean | Promise<boolean>) =>
    assert.ok(await until(check, ms));
  const opened = async (person: Person, ...account: string[]) => {
    const as = account.flatMap((name) => ["-l", name]);
    const terminal = new TerminalClient(person.ssh(...as, "web-1"), { env: person.env });
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
      [
        "systemd-run --user --scope",
        "shared-scope",
        `systemd-run --user --scope ${sleeper("shared-scope")} &`,
      ],
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
        await onceIn(3_000, async () => !(await runs(name)));
        await logged(world, saysOf(name));
      });
    }

    it("what one of two sessions on a connection detached ends with that session", async () => {
      const options = [
        "-o",
        "ControlMaster=auto",
        "-o",
        `ControlPath=${alice.home}/mux`,
        "-o",
        "ControlPersist=30",
      ];
      const first = new TerminalClient(alice.ssh(...options, "web-1"), { env: alice.env });
      await first.shows(/\$ $/);
      first.type(`${sleeper("mux-stays")} &\r`);
      await onceIn(5_000, () => runs("mux-stays"));
      const command = `setsid -f ${sleeper("mux-goes")} >/dev/null 2>&1 </dev/null`;
      await run(alice.ssh(...options, "web-1", command), { env: alice.env });
      await logged(world, saysOf("mux-goes"));
      assert.equal(await runs("mux-goes"), false);
      assert.ok(await runs("mux-stays"));
      await closed(first);
      await run(["ssh", "-O", "exit", "-o", `ControlPath=${alice.home}/mux`, "web-1"], { env: alice.env });
      await onceIn(3_000, async () => !(await runs("mux-stays")));
    });

    it("at jobs that wait are removed; the company's own stay", async () => {
      await world.host.run(["at", "now + 1 day"], { input: "true\n", uid: "deploy" });
      const outcome = await ssh(alice, "echo true | at now + 2 minutes; echo true | batch; atq | wc -l");
      assert.match(outcome.stdout.toString(), /^[23]\n$/);
      await onceIn(3_000, async () => (await asRoot("atq")).trim().split("\n").length === 1);
      await logged(world, saysOf("at job"));
      await asRoot("sh", "-c", "rm -f /var/spool/cron/atjobs/a*");
    });

    it("a crontab is put back as it was, and one that there was none of is removed", async () => {
      const mine = `(crontab -l; echo '0 0 * * * true # left by a contractor') | crontab -; crontab -l`;
      for (const before of ["", COMPANYS]) {
        if (before !== "") await world.host.run(["crontab", "-u", "deploy", "-"], { input: before });
        const { stdout } = await ssh(alice, mine);
        assert.match(stdout.toString(), /left by a contractor/);
        await onceIn(3_000, async () => (await asRoot("crontab", "-l", "-u", "deploy")) === before);
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
      await onceIn(3_000, async () => (await asRoot("atq")) === "");
      await onceIn(3_000, async () => (await asRoot("crontab", "-l", "-u", "carol-vendor")) === "");
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

  describe("by cron, which looks once a minute", () => {
    it("what it starts in an account of the member's own is ended at once", async function () {
      this.timeout(2 * MINUTE_MS);
      await onceIn(MINUTE_MS, () => agentLog(world).some(saysOf("own-cron")));
      assert.equal(await runs("own-cron"), false);
      await closed(cronTerminals[1]);
      await onceIn(3_000, async () => (await asRoot("crontab", "-l", "-u", "dave-vendor")) === "");
    });

    it("what it started in a shared one ends with the login, also when the crontab was taken back", async function () {
      this.timeout(2 * MINUTE_MS);
      await onceIn(MINUTE_MS, () => runs("shared-cron"));
      cronTerminals[0].type("crontab -r; echo taken-$((40+5))\r");
      await cronTerminals[0].shows(/taken-45/);
      await closed(cronTerminals[0]);
      await onceIn(3_000, async () => !(await runs("shared-cron")));
      await logged(world, saysOf("shared-cron"));
    });
  });
});
