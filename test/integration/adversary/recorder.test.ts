import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { until } from "../../../demo/light-host/until.ts";
import { type Outcome, run } from "../../fixtures/processes.ts";
import { type ListedSession, sessionWhere } from "../../fixtures/sessions.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

const SILENT = "echo before-$((40+2)); sleep 31; echo after-$((40+2))";

/**
 * Ways round the recorder. Each is tried as the contractor, in the contractor's own account, on a host whose operator
 * has set sshd to take any environment: what runs is recorded, or does not run.
 */
describe("round the recorder", () => {
  let world: World;
  let alice: Person;
  let silent: Promise<Outcome>;
  before(async () => {
    world = await startWorld({
      engagements: [
        { name: "web", members: ["alice"] },
        { name: "quiet", members: ["carol"] },
      ],
      sshdConfig: "PermitUserEnvironment yes\nAcceptEnv *\nPermitUserRC yes\nX11Forwarding yes",
    });
    alice = await world.signedIn("alice");
    const carol = await world.signedIn("carol");
    silent = run(carol.ssh("web-1", SILENT), { env: carol.env });
    // Whatever of these is run by anything but a shell inside a recorded session leaves a trace of its ancestors.
    const mark = `#!/bin/sh
pid=$$; line=
while [ "$pid" -gt 1 ]; do line="$line $(cat /proc/$pid/comm 2>/dev/null)"; pid=$(awk '{print $4}' /proc/$pid/stat 2>/dev/null || echo 0); done
echo "$1$line" >> /tmp/marks
`;
    await world.host.run(
      ["sh", "-c", "cat > /tmp/mark; chmod 755 /tmp/mark; : > /tmp/marks; chmod 666 /tmp/marks"],
      {
        input: mark,
      },
    );
  });
  after(() => world.close());

  const inAccount = async (script: string, input = ""): Promise<void> => {
    const outcome = await world.host.run(["sh", "-c", `cd /home/deploy; ${script}`], {
      uid: "deploy",
      input,
    });
    assert.equal(outcome.status, 0, outcome.stderr);
  };
  const marks = async () => (await world.host.run(["cat", "/tmp/marks"])).stdout.split("\n").filter(Boolean);
  const ssh = (command: string, ...options: string[]) =>
    // What waits for input on a terminal gets the end of it.
    run(alice.ssh(...options, "web-1", command), {
      env: alice.env,
      input: options.includes("-tt") ? "\x04\x04" : "",
    });
  const recorded = (command: string): Promise<ListedSession> =>
    sessionWhere(alice, (one) => one.command === command && one.state === "ended");
  const text = async (session: ListedSession): Promise<string> =>
    (await alice.sallyport(["export", session.id, "--format", "text"])).stdout.toString();

  describe("by files of the account", () => {
    const files = [
      ".bashrc",
      ".bash_profile",
      ".bash_login",
      ".profile",
      ".bash_logout",
      ".zshenv",
      ".zshrc",
      ".config/fish/config.fish",
      ".ssh/rc",
      ".pam_environment",
    ];
    for (const file of files) {
      it(`${file}: runs in the recorded session or not at all`, async () => {
        await inAccount(
          `mkdir -p "$(dirname ${file})"; printf '/tmp/mark ${file} run\\n' > ${file}; chmod 755 ${file}`,
        );
        await world.host.run(["truncate", "-s", "0", "/tmp/marks"]);
        await ssh("true");
        const terminal = new TerminalClient(alice.ssh("web-1"), { env: alice.env });
        await terminal.shows(/\$ $/);
        terminal.type("exit\r");
        await terminal.exited;
        for (const line of await marks())
          assert.match(line, / shim sshd /, "its ancestors are the shell, the shim, sshd");
        if (file === ".ssh/rc") assert.deepEqual(await marks(), []);
        await inAccount(`rm -f ${file}`);
      });
    }

    it("~/.ssh/environment reaches the recorded shell alone", async () => {
      await inAccount(
        "mkdir -p .ssh; cat > .ssh/environment",
        "BASH_ENV=/tmp/evil\nENV=/tmp/evil\nLD_PRELOAD=/tmp/evil.so\nNODE_OPTIONS=--require=/tmp/evil.js\nSHELL=/bin/evil\n",
      );
      await world.host.run([
        "sh",
        "-c",
        "echo '/tmp/mark evil' > /tmp/evil; chmod 755 /tmp/evil; : > /tmp/marks",
      ]);
      const { stdout } = await ssh("echo in-$((40+2))");
      assert.equal(stdout.toString(), "in-42\n");
      for (const line of await marks()) assert.match(line, / shim sshd /);
      assert.match(await text(await recorded("echo in-$((40+2))")), /in-42/);
      await inAccount("rm .ssh/environment");
    });

    it("AcceptEnv * lets nothing run before the recorder either", async () => {
      await world.host.run(["truncate", "-s", "0", "/tmp/marks"]);
      const { stdout } = await run(
        alice.ssh(
          "-o",
          "SendEnv=*",
          "-o",
          "SetEnv=BASH_ENV=/tmp/evil LD_PRELOAD=/tmp/evil.so",
          "web-1",
          "echo sent",
        ),
        { env: { ...alice.env, ENV: "/tmp/evil", NODE_OPTIONS: "--require=/tmp/evil.js" } },
      );
      assert.equal(stdout.toString(), "sent\n");
      for (const line of await marks()) assert.match(line, / shim sshd /);
    });
  });

  describe("by a command that looks like a transfer", () => {
    const commands = [
      "timeout 1 scp -t /tmp/x; echo scp-$((40+2))",
      "timeout 1 rsync --server --sender . /etc; echo rsync-$((40+2))",
      "/usr/lib/openssh/sftp-server -h; echo sftp-$((40+2))",
      "internal-sftp; echo internal-$((40+2))",
    ];
    for (const command of commands) {
      for (const [how, options] of [
        ["", []],
        [" with -tt", ["-tt"]],
      ] as const) {
        it(`${command}${how}: is recorded like any other`, async () => {
          const { stdout } = await ssh(command, ...options);
          assert.match(stdout.toString(), /-42/);
          const kind = how === "" ? "command" : "pty";
          const session = await sessionWhere(
            alice,
            (one) => one.command === command && one.kind === kind && one.state === "ended",
          );
          assert.match(await text(session), /-42/);
        });
      }
    }

    it("a subsystem that is none is refused, and one that is, recorded", async () => {
      const none = await run(alice.ssh("-s", "web-1", "shell"), { env: alice.env });
      assert.notEqual(none.status, 0);
      assert.equal(none.stdout.toString(), "");
      const sftp = await run(["sftp", "-q", "-b", "-", ...alice.ssh("web-1").slice(1)], {
        env: alice.env,
        input: "ls /etc/hostname\n",
      });
      assert.match(sftp.stdout.toString(), /\/etc\/hostname/);
      await sessionWhere(
        alice,
        (one) => (one.command ?? "").includes("sftp-server") && one.state === "ended",
      );
    });
  });

  describe("by a shell inside the shell", () => {
    for (const command of [
      "bash --rcfile /dev/null -ic 'echo rcfile-$((40+2))'",
      "script -qc 'echo script-$((40+2))' /dev/null",
      "setsid -w sh -c 'echo setsid-$((40+2))'",
      "env -i /bin/sh -c 'echo empty-$((40+2))'",
      "echo tty-$((40+2)) > /dev/tty",
      'python3 -c \'import pty; pty.spawn(["echo", "pty-42"])\'',
    ]) {
      it(`${command}: is on the recording`, async () => {
        const { stdout } = await ssh(command, "-tt");
        assert.match(stdout.toString(), /-42/);
        assert.match(await text(await recorded(command)), /-42/);
      });
    }

    it("cannot write to the contractor's terminal past the recorder", async () => {
      // The terminal that sshd made is the account's own: its device can be found, and must not be opened.
      const command =
        "for t in /dev/pts/[0-9]*; do [ $t = $(tty) ] || { echo past-$((40+2)) > $t; } 2>&1; done; echo end-$((40+2))";
      const { stdout } = await ssh(command, "-tt");
      const session = await recorded(command);
      assert.match(stdout.toString(), /end-42/);
      assert.doesNotMatch(stdout.toString(), /past-42/);
      assert.match(await text(session), /end-42/);
    });
  });

  describe("by closing, stopping and signals", () => {
    const rows: [what: string, command: string, shown: RegExp][] = [
      ["standard output closed early", "exec >&-; echo err-$((40+2)) >&2; exit 3", /err-42/],
      ["standard input closed early", "exec <&-; echo out-$((40+2))", /out-42/],
      ["a pipe that is half closed", "yes | head -n 3; echo out-$((40+2))", /out-42/],
      [
        "a storm of SIGHUP at itself",
        "trap '' HUP; for i in $(seq 500); do kill -HUP $$; done; echo out-$((40+2))",
        /out-42/,
      ],
      [
        "a child that outlives its parent",
        "(sleep 0.3; echo late-$((40+2))) & echo out-$((40+2)); wait",
        /out-42[\s\S]*late-42/,
      ],
    ];
    for (const [what, command, shown] of rows) {
      it(`${what}: what was shown is recorded`, async () => {
        const { stdout, stderr } = await ssh(command);
        assert.match(stdout.toString() + stderr, shown);
        assert.match(await text(await recorded(command)), shown);
      });
    }

    it("a storm of SIGHUP, SIGTERM and SIGUSR1 at the shim ends the session at most, recorded", async () => {
      const command =
        "trap '' HUP TERM USR1; for i in $(seq 200); do kill -HUP $PPID; kill -USR1 $PPID; kill -TERM $PPID; done; echo out";
      await ssh(command, "-tt");
      const session = await recorded(command);
      assert.notEqual(session.endReason, null);
    });

    it("a shim that is stopped shows nothing, and its session ends when it is revoked, with all processes", async () => {
      const sam = await world.signedIn("sam");
      const command = "kill -STOP $PPID; exec -a still-here sleep 3000";
      const session = ssh(command);
      const live = await sessionWhere(alice, (one) => one.command === command && one.state === "live");
      const runs = async () => (await world.host.run(["pgrep", "-f", "^still-here"])).stdout !== "";
      assert.ok(await until(runs, 5_000));
      assert.equal((await sam.sallyport(["revoke", live.id, "--reason", "test"])).status, 0);
      assert.notEqual((await session).status, 0);
      assert.ok(await until(async () => !(await runs()), 2_000));
      await world.person("alice").signIn({ force: true });
    });
  });

  describe("by time and size", () => {
    it("30 s of silence: what comes after is recorded", async () => {
      assert.match((await silent).stdout.toString(), /after-42/);
      const carol = world.person("carol");
      const session = await sessionWhere(carol, (one) => one.command === SILENT && one.state === "ended");
      const { stdout } = await carol.sallyport(["export", session.id, "--format", "text"]);
      assert.match(stdout.toString(), /before-42\n[\s\S]*after-42/);
    });

    it("much output, on a terminal and without: nothing hangs, memory stays flat, the log does not grow with it", async () => {
      const memory = async () => {
        const pids = world.host.recorderPids();
        const status = await Promise.all(
          pids.map((pid) => run(["grep", "-E", "^RssAnon", `/proc/${pid}/status`])),
        );
        return status.reduce((sum, { stdout }) => sum + Number(/(\d+)/.exec(stdout.toString())?.[1] ?? 0), 0);
      };
      await ssh("head -c 20000000 /dev/urandom");
      const [kilobytes, log] = [await memory(), statSync(world.host.agentLog()).size];
      const many = await ssh("head -c 150000000 /dev/urandom | base64 -w 0 | head -c 150000000");
      assert.equal(many.stdout.length, 150_000_000);
      const seen = await ssh("head -c 30000000 /dev/zero | tr '\\0' x", "-tt");
      // The terminal also echoes the end of input that it was given.
      assert.equal(seen.stdout.toString().replaceAll(/[^x]/g, "").length, 30_000_000);
      const grown = (await memory()) - kilobytes;
      assert.ok(grown < 64 * 1024, `the recorders have grown by ${grown} KiB`);
      assert.ok(statSync(world.host.agentLog()).size - log < 10_000);
    }).timeout(120_000);
  });
});
