import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { until } from "../../../demo/light-host/until.ts";
import { Multiplexed } from "../../fixtures/multiplexed.ts";
import { finished, printed, run } from "../../fixtures/processes.ts";
import { Prompt } from "../../fixtures/prompt.ts";
import { sessionWhere } from "../../fixtures/sessions.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

const RULES = [
  { program: "python3", arguments: [{ rest: true }], confine: { write: ["/var/app"] } },
  { program: "env" },
  { program: "kill", arguments: [{ oneOf: ["-9", "-STOP", "-0"] }, { integer: { from: 1, to: 4_194_304 } }] },
  { program: "cat", arguments: [{ repeated: { under: "/var/app" }, to: 3 }] },
  { program: "cat", arguments: ["-u", { repeated: { under: "/var/app" }, to: 3 }], confine: { read: "any" } },
];

/** Tries things, each a line of Python, and tells of each how it ended: "ok", or the error's name. */
const TRY = `
import ctypes, errno, json, os, signal, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    result = getattr(libc, name)(*args)
    if result < 0: raise OSError(ctypes.get_errno(), name)
    return result
def ancestor(name):
    pid = os.getpid()
    while pid > 1:
        stat = open(f"/proc/{pid}/stat").read()
        if name in stat[stat.index("("):stat.rindex(")")]: return pid
        pid = int(stat.rsplit(")", 1)[1].split()[1])
    raise SystemExit("no " + name)
out = {}
for line in sys.argv[1:]:
    try:
        exec(line); out[line] = "ok"
    except OSError as error: out[line] = errno.errorcode.get(error.errno, str(error))
print(json.dumps(out))
`;

/** Another's process of the same account: what it holds is what the attacker is after. */
const VICTIM = `python3 -c 'import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind("\\0victim"); s.listen()
p = socket.socket(socket.AF_UNIX); p.bind("/tmp/victim.sock"); p.listen()
open("/tmp/victim", "w").write(f"{os.getpid()} {os.ttyname(0)}")
print("waiting", flush=True); sys.stdin.readline()'`;

/**
 * What a contractor can do who is allowed a program that does whatever it is told (python3): the kernel's share, tried as
 * the attacker, and beside it the same in an engagement with mode: shell in the same account.
 */
describe("a program that does whatever it is told", () => {
  let world: World;
  let alice: Person;
  let carol: Person;
  let limited: Multiplexed;
  let shell: Multiplexed;
  let victim: TerminalClient;
  let victimPid: string;
  let victimTerminal: string;
  before(async () => {
    world = await startWorld({
      engagements: [
        { name: "open", members: ["alice"], mode: "commands", commands: { rules: RULES } },
        { name: "wide", members: ["carol"] },
      ],
      sshdConfig: "PermitUserEnvironment yes\nAcceptEnv *",
    });
    await world.host.run(["sh", "-ec", SURROUNDINGS]);
    await world.host.run(["tee", "/usr/local/share/try.py"], { input: TRY });
    alice = await world.signedIn("alice");
    carol = await world.signedIn("carol");
    limited = new Multiplexed(alice);
    shell = new Multiplexed(carol);
    victim = new TerminalClient(carol.ssh("web-1", "-t", VICTIM), { env: carol.env });
    await victim.shows(/waiting/);
    [victimPid = "", victimTerminal = ""] = (await world.host.run(["cat", "/tmp/victim"])).stdout.split(" ");
  });
  after(async () => {
    victim?.kill("SIGKILL");
    await Promise.all([limited?.close(), shell?.close()]);
    await world?.close();
  });

  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  /** How each of these lines of Python ends, in a session of this one. */
  const tried = async (whose: Multiplexed, lines: readonly string[]): Promise<string[]> => {
    const { stdout, stderr } = await whose.ssh(
      `python3 /usr/local/share/try.py ${lines.map(quoted).join(" ")}`,
    );
    assert.notEqual(stdout.toString(), "", stderr);
    const outcomes = JSON.parse(stdout.toString()) as Record<string, string>;
    return lines.map((line) => `${outcomes[line]}: ${line}`);
  };
  const all = (outcome: string, lines: readonly string[]) => lines.map((line) => `${outcome}: ${line}`);

  it("writes where the rule says, and nowhere else", async () => {
    const elsewhere = [
      'open("/home/deploy/.bashrc", "w")',
      'open("/home/deploy/.ssh/authorized_keys", "a")',
      'open("/home/deploy/.ssh/rc", "w")',
      'open("/tmp/x", "w")',
      'open("/dev/shm/x", "w")',
      'open("/var/other/file", "r+")',
      'os.truncate("/var/other/file", 0)',
      'os.mkdir("/var/other/directory")',
      'os.symlink("/var/app", "/var/other/link")',
      'os.mkfifo("/var/other/fifo")',
      'os.link("/var/other/file", "/var/app/hard")',
      'os.rename("/var/other/moved", "/var/app/moved")',
      'os.unlink("/var/other/removed")',
      'open("/proc/self/oom_score_adj", "w").write("1")',
    ];
    const outcomes = await tried(limited, elsewhere);
    // Between directories of different rights the kernel says EXDEV, as between file systems.
    assert.deepEqual(
      outcomes.map((one) => one.replace(/^(EACCES|EXDEV|EPERM): /, "refused: ")),
      all("refused", elsewhere),
    );
    const inside = [
      'open("/var/app/x", "w").write("x")',
      'os.mkdir("/var/app/d")',
      'os.rename("/var/app/x", "/var/app/d/y")',
    ];
    assert.deepEqual(await tried(limited, inside), all("ok", inside));
    assert.deepEqual(await tried(shell, elsewhere), all("ok", elsewhere));
  });

  it("reaches no process outside its own: neither the shim nor those of another session in the account", async () => {
    const lines = ['ancestor("shim")', victimPid].flatMap((pid) => [
      `os.kill(${pid}, 0)`,
      `os.kill(${pid}, signal.SIGCONT)`,
      `call("ptrace", 16, ${pid}, 0, 0); os.waitpid(${pid}, 0x40000000); call("ptrace", 17, ${pid}, 0, 0)`,
      `os.listdir("/proc/%d/root/" % ${pid})`,
      `os.readlink("/proc/%d/cwd" % ${pid})`,
      `open("/proc/%d/mem" % ${pid}, "r+b")`,
      `open("/proc/%d/environ" % ${pid}).read()`,
      `call("syscall", 438, os.pidfd_open(${pid}), 0, 0)`,
    ]);
    const outcomes = await tried(limited, lines);
    assert.deepEqual(
      outcomes.map((one) => one.replace(/^(EACCES|EPERM): /, "refused: ")),
      all("refused", lines),
    );
    const ofVictim = lines.slice(lines.length / 2);
    assert.deepEqual(await tried(shell, ofVictim), all("ok", ofVictim));
  });

  it("does not reach the other session's terminal or abstract socket, nor types into its own prompt", async () => {
    const lines = [
      `open("${victimTerminal}", "w").write("from alice")`,
      `open("${victimTerminal}", "r")`,
      'socket.socket(socket.AF_UNIX).connect("\\0victim")',
    ];
    const outcomes = await tried(limited, lines);
    assert.deepEqual(
      outcomes.filter((one) => one.startsWith("ok")),
      [],
    );
    assert.deepEqual(await tried(shell, lines), all("ok", lines));
    assert.doesNotMatch(victim.text, /from alice from alice/);

    const prompt = await Prompt.open(alice);
    const push = "import fcntl, termios\\nfor c in b'env\\\\n': fcntl.ioctl(0, termios.TIOCSTI, bytes([c]))";
    await prompt.line(`python3 -c 'exec("${push.replaceAll("'", '\\"').replaceAll("\\\\n", "\\\\\\\\n")}")'`);
    assert.doesNotMatch(await prompt.line("kill -0 1"), /PATH=/);
    await prompt.leave();
  });

  it("gets no descriptors but its own three", async () => {
    const { stdout } = await limited.ssh(
      `python3 -c 'import os; print(sorted(os.listdir("/proc/self/fd")))'`,
    );
    assert.equal(stdout.toString(), "['0', '1', '2', '3']\n", "the fourth is the directory's");
  });

  it("changes modes of the account's files, and reaches sockets that have a path: no kernel holds that yet", async () => {
    const lines = [
      'os.chmod("/var/other/file", 0o600)',
      'socket.socket(socket.AF_UNIX).connect("/tmp/victim.sock")',
    ];
    assert.deepEqual(await tried(limited, lines), all("ok", lines));
  });

  it("gets nothing from namespaces of its own", async () => {
    const lines = [
      'call("unshare", 0x10000000 | 0x20000); call("mount", b"none", b"/mnt", b"tmpfs", 0, 0)',
      'call("unshare", 0x10000000 | 0x20000); call("mount", b"/var/other", b"/var/app", 0, 4096, 0)',
      'os.execv("/usr/bin/sudo", ["sudo", "-n", "true"])',
      'os.execv("/usr/bin/su", ["su"])',
      'os.execv("/usr/bin/crontab", ["crontab", "-l"])',
    ];
    for (const outcome of await Promise.all(lines.map((line) => tried(limited, [line]))))
      assert.doesNotMatch(String(outcome), /^ok/);
  });

  it("runs a program of the contractor's own through the dynamic loader, held like python3 itself", async () => {
    // The contractor brings a shell where they may write: no kernel tells a program from a file that python3 could interpret.
    await world.host.run(["sh", "-c", "cp /bin/dash /var/app/brought; chmod 644 /var/app/brought"]);
    const script =
      "echo here-$((40+2)); id; echo x > /home/deploy/y; : < /bin/ls && echo read; kill -0 $PPID && echo killed";
    const { stdout, stderr } = await limited.ssh(
      `python3 -c 'import os, sys; os.execv("/lib64/ld-linux-x86-64.so.2", ["x", "/var/app/brought", "-c", sys.argv[1]])' ${quoted(script)}`,
    );
    assert.equal(stdout.toString(), "here-42\n", stderr);
    assert.match(
      stderr,
      /id: Permission denied[\s\S]*\/home\/deploy\/y: Permission denied[\s\S]*\/bin\/ls: Permission denied/,
    );
  });

  it("kills with an allowed kill nothing but its own: the shim stays", async () => {
    const prompt = await Prompt.open(alice);
    const shims = (await world.host.run(["pgrep", "-u", "deploy", "-f", "shim"])).stdout.trim().split("\n");
    assert.ok(shims.length >= 1);
    for (const pid of shims)
      for (const signal of ["-9", "-STOP"])
        assert.match(await prompt.line(`kill ${signal} ${pid}`), /not permitted/);
    assert.match(await prompt.line("cat /var/app/log"), /a line/);
    await prompt.leave();
    // In mode: shell it can be done, and ends the session.
    assert.notEqual((await shell.ssh("kill -9 $PPID; sleep 5; echo on")).stdout.toString(), "on\n");
  });

  it("leaves nothing running: not behind a command, and not behind the prompt", async () => {
    const daemon = (name: string) =>
      `python3 -c 'import os, time; os.fork() and os._exit(0); os.setsid(); [os.close(n) for n in range(3)]; open("/proc/self/comm", "w").write("${name}"); time.sleep(3000)'`;
    const runs = async (name: string) => (await world.host.run(["pgrep", "-x", name])).stdout !== "";
    const stays = new TerminalClient(carol.ssh("web-1"), { env: carol.env });
    await stays.shows(/\$ $/);
    stays.type(`${daemon("by-shell")}\r`);
    assert.ok(await until(() => runs("by-shell"), 5_000), "it can be done");
    stays.type("exit\r");
    await stays.exited;

    await limited.ssh(daemon("by-command"));
    const prompt = await Prompt.open(alice);
    await prompt.line(daemon("by-prompt"));
    await prompt.leave();
    for (const name of ["by-command", "by-prompt", "by-shell"])
      assert.ok(await until(async () => !(await runs(name)), 5_000), name);
  });

  describe("in a file that changes after it was judged", () => {
    /** The first file is a FIFO: the program waits in it while the second becomes a link to what it must not read. */
    const swapped = async (program: string): Promise<string> => {
      await world.host.run([
        "sh",
        "-c",
        "cd /var/app && rm -f fifo later && mkfifo fifo && echo good > later && chown deploy: fifo later",
      ]);
      const ssh = spawn(
        "ssh",
        alice.ssh("web-1", `${program} /var/app/log /var/app/fifo /var/app/later`).slice(1),
        { env: alice.env },
      );
      const ended = finished(ssh);
      await printed(ssh, /a line/);
      await world.host.run(["sh", "-c", "cd /var/app && ln -sf /home/deploy/secret later && echo x > fifo"]);
      const { stdout, stderr } = await ended;
      return stdout.toString() + stderr;
    };
    it("reads nothing through a symbolic link that was put there meanwhile", async () => {
      assert.match(await swapped("cat"), /later: Permission denied/);
    });
    it("does where the rule says `read: any`, so that the kernel holds nothing", async () => {
      assert.match(await swapped("cat -u"), /the-secret/);
    });
  });

  describe("in its environment", () => {
    const CLEAN = ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "USER"];
    const names = (text: string) =>
      text
        .split(/\r?\n/)
        .flatMap((line) => /^([A-Za-z_]\w*)=/.exec(line)?.[1] ?? [])
        .sort();

    before(async () => {
      const made = await world.host.run(["sh", "-ec", PRELOADED]);
      assert.equal(made.status, 0, made.stderr);
    });

    it("has nothing from the client, from ~/.ssh/environment and from ~/.pam_environment", async () => {
      const sent = [
        "LD_PRELOAD=/var/app/preloaded.so",
        "PATH=/home/deploy/bin",
        "BASH_ENV=/var/app/x",
        "LANG=%n%n",
        "PYTHONSTARTUP=/var/app/x",
        "GIT_PAGER=sh",
      ];
      const options = ["-o", `SetEnv=${sent.join(" ")}`];
      const shell = await run(carol.ssh(...options, "web-1", "env; ls /"), { env: carol.env });
      assert.match(shell.stdout.toString(), /^preloaded$/m, "with a shell it works");
      const { stdout, stderr } = await run(alice.ssh(...options, "web-1", "env"), { env: alice.env });
      assert.deepEqual(names(stdout.toString()), CLEAN, stderr);
      assert.match(
        stdout.toString(),
        /^PATH=\/usr\/local\/sbin:\/usr\/local\/bin:\/usr\/sbin:\/usr\/bin:\/sbin:\/bin$/m,
      );
      assert.match(stdout.toString(), /^SHELL=\/usr\/sbin\/nologin$/m);
      assert.doesNotMatch(stdout.toString() + stderr, /preloaded|%n|evil/);
    });

    it("has a TERM that is a name, or none", async () => {
      for (const [term, shown] of [
        ["xterm-256color", "xterm-256color"],
        ["../../var/app/x", null],
        ["x\u001b[31m", null],
        ["%n%s", null],
        ["a".repeat(300), null],
      ] as const) {
        const argv = alice.ssh("-tt", "web-1", "env");
        const { stdout } = await run(argv, { env: { ...alice.env, TERM: term } });
        const said = /^TERM=(.*?)\r?$/m.exec(stdout.toString())?.[1] ?? null;
        if (shown === null) assert.notEqual(said, term);
        else assert.equal(said, shown);
        assert.doesNotMatch(String(said), /[^A-Za-z0-9+._-]/);
      }
    });
  });

  it("is recorded in all of this, with how the kernel held it", async () => {
    const session = await sessionWhere(alice, (one) => (one.command ?? "").includes("/var/app/brought"));
    const text = (await alice.sallyport(["export", session.id, "--format", "text"])).stdout.toString();
    assert.match(text, /here-42[\s\S]*Permission denied|Permission denied[\s\S]*here-42/);
    const sam = await world.signedIn("sam");
    const log = (await sam.sallyport(["audit", "export"])).stdout.toString();
    assert.match(log, /command-started[^\n]*landlock|landlock[^\n]*command-started/);
  });
});

const SURROUNDINGS = `
umask 022
mkdir -p /var/app /var/other /home/deploy/bin /home/deploy/.ssh
echo 'a line' > /var/app/log
for name in file moved removed; do echo x > /var/other/$name; done
printf '#!/bin/sh\\necho evil\\n' > /home/deploy/bin/env
chmod 755 /home/deploy/bin/env
echo EVIL=evil | tee /home/deploy/.ssh/environment > /home/deploy/.pam_environment
echo the-secret > /home/deploy/secret
chown -R deploy: /var/app /var/other /home/deploy
`;

const PRELOADED = `
cd /var/app
printf '#include <unistd.h>\\n__attribute__((constructor)) static void f(void) { write(1, "preloaded\\\\n", 10); }\\n' > p.c
gcc -shared -fPIC -o preloaded.so p.c
`;
