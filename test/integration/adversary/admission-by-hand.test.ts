import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { basename } from "node:path";
import { agentLog } from "../../fixtures/agent-log.ts";
import { forgeLogin } from "../../fixtures/forged-login.ts";
import { finished, printed, run } from "../../fixtures/processes.ts";
import { PEOPLE, type Person, startWorld, type World } from "../../fixtures/world.ts";

const SHIM = "/usr/local/lib/sallyport/shim";
const NOT_A_LOGIN = /^sallyport: This account is used through Sallyport only/;
/** What sshd sets for a session; anybody can. */
const AS_SSHD_WOULD = {
  SSH_ORIGINAL_COMMAND: "id",
  SSH_CONNECTION: "127.0.0.1 40000 127.0.0.1 22",
  SSH_CLIENT: "127.0.0.1 40000 22",
};

/** So that the program has a parent on the host, as it would have there. */
const inShell = (argv: readonly string[]): string[] => ["sh", "-c", '"$@"; exit $?', "sh", ...argv];

/** Everything here is tried on the host, by hand, past sshd. */
describe("by hand, on the host", () => {
  let world: World;
  let alice: Person;
  /** A certificate that sshd would be answered for: base64. */
  let certificate: string;

  before(async () => {
    world = await startWorld({
      engagements: [{ name: "web", members: ["alice"] }],
      accounts: [{ name: "deploy" }, { name: "keeper", shell: "/bin/bash" }],
    });
    alice = await world.signedIn("alice");
    const login = forgeLogin(world, PEOPLE.find((one) => one.name === "alice")?.sub ?? "");
    assert.equal((await run(login.ssh("echo in"))).stdout.toString(), "in\n");
    certificate = Buffer.from(login.certificate).toString("base64");
    await world.host.run(["sh", "-c", "cat > /tmp/speak.py && chmod 755 /tmp/speak.py"], { input: SPEAK });
  });
  after(() => world.close());

  for (const uid of ["keeper", "nobody", "deploy", "sallyport-sshd", "root"]) {
    for (const [how, env] of [
      ["", {}],
      [", with what sshd would have set", AS_SSHD_WOULD],
    ] as const) {
      it(`the shim gives ${uid} no session${how}`, async () => {
        for (const argv of [[SHIM, "session"], [SHIM], [SHIM, "-c", "id"]]) {
          const { status, stdout, stderr } = await world.host.run(inShell(argv), { uid, env });
          assert.deepEqual([status, stdout], [254, ""]);
          assert.match(stderr, NOT_A_LOGIN);
        }
      });
    }

    it(`the shim tells ${uid} no principals, and decides nothing`, async () => {
      const since = agentLog(world).length;
      for (const user of ["deploy", "keeper", "root"]) {
        const argv = [SHIM, "principals", `--user=${user}`, `--key=${certificate}`];
        const { status, stdout, stderr } = await world.host.run(inShell(argv), { uid });
        assert.deepEqual([status, stdout, stderr], [0, "", ""]);
      }
      assert.deepEqual(
        agentLog(world)
          .slice(since)
          .filter(({ message }) => message === "login"),
        [],
      );
    });
  }

  it("a contractor in a session gets no second one past sshd, and no decision", async () => {
    const inside = async (command: string) => {
      const { stdout, stderr } = await run(alice.ssh("web-1", command), { env: alice.env });
      return stdout.toString() + stderr;
    };
    for (const how of [
      `${SHIM} session`,
      `SSH_ORIGINAL_COMMAND=id ${SHIM} session`,
      `${SHIM} -c id`,
      `setsid -w ${SHIM} session`,
    ])
      assert.match(await inside(`${how} </dev/null; true`), NOT_A_LOGIN, how);
    const since = agentLog(world).length;
    assert.equal(await inside(`${SHIM} principals --user=deploy --key=${certificate}`), "");
    assert.equal(
      agentLog(world)
        .slice(since)
        .filter(({ message }) => message === "login").length,
      1,
      "its own",
    );
  });

  it("a contractor's own sshd is not the host's: neither its questions nor its sessions count", async () => {
    const script = `set -e; cd; ssh-keygen -q -t ed25519 -N '' -f hk; ssh-keygen -q -t ed25519 -N '' -f id
mkdir -p .ssh; chmod 700 .ssh; cp id.pub ak; chmod 600 ak
/usr/sbin/sshd -f /dev/null -p 2299 -h $HOME/hk -o PidFile=$HOME/own.pid -o UsePAM=no -o StrictModes=no \
 -o ListenAddress=127.0.0.1 -o AuthorizedKeysFile=$HOME/ak -o 'ForceCommand=${SHIM} session'
ssh -F none -p 2299 -i id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
 127.0.0.1 id 2>&1 || echo "status $?"; kill $(cat own.pid)`;
    const { stdout, stderr } = await run(alice.ssh("web-1", script), { env: alice.env });
    assert.match(stdout.toString(), /This account is used through Sallyport only[\s\S]*status 254/, stderr);
    assert.doesNotMatch(stdout.toString(), /uid=/);
  });

  const speak = (uid: string, ...argv: string[]) =>
    world.host.run(["python3", "/tmp/speak.py", ...argv], { uid });

  for (const [what, ticket] of [
    ["of zeros", "00".repeat(32)],
    ["guessed", "5a".repeat(32)],
  ] as const) {
    it(`a recorder hangs up on a ticket ${what}`, async () => {
      const answers = ["nobody", "deploy", "root"].map((uid) => speak(uid, "recorder", ticket));
      for (const { stdout } of await Promise.all(answers)) assert.equal(stdout, "closed\n");
    });
  }

  it("a recorder gives a session to the process that its ticket is for, and to no other", async () => {
    // The shim itself is the attacker's here, which takes root: so that there is a ticket to be stolen at all.
    // The process is the shim's file, as it must be: a copy of Python's, which is told what to do at its start.
    const python = (await world.host.run(["readlink", "-f", "/usr/bin/python3"])).stdout.trim();
    const custom = `/etc/${basename(python)}/sitecustomize.py`;
    const install = `mv ${SHIM} ${SHIM}.real && install -m 755 ${python} ${SHIM} && mv ${custom} ${custom}.real && cat > ${custom}`;
    await world.host.run(["sh", "-c", install], { input: FALSE_SHIM });
    try {
      for (const [mode, expected] of [
        ["keep", /^own: x$/m],
        ["give", /^thief: closed$/m],
      ] as const) {
        const { stdout, stderr } = await run(alice.ssh("web-1", mode), { env: alice.env });
        assert.match(stdout.toString(), expected, stderr);
      }
      // And to one that no sshd has started.
      const left = spawn("ssh", alice.ssh("web-1", "leave").slice(1), { env: alice.env });
      const ended = finished(left);
      const [, ticket = "", path = ""] = /^ticket (\S+) (\S+)\n/.exec(await printed(left, /\n/)) ?? [];
      assert.equal((await speak("nobody", "recorder", ticket, path)).stdout, "closed\n");
      left.stdin.end();
      await ended;
    } finally {
      await world.host.run(["sh", "-c", `mv ${SHIM}.real ${SHIM}; mv ${custom}.real ${custom}`]);
    }
    assert.equal(
      (await run(alice.ssh("web-1", "echo real again"), { env: alice.env })).stdout.toString(),
      "real again\n",
    );
  });
});

/** Speaks to a recorder with a ticket (shim-protocol.ts): prints the type of its first frame, or "closed". */
const SPEAK = `import glob, socket, struct, sys
ticket = bytes.fromhex(sys.argv[2])
for path in glob.glob("/run/sallyport/recorder-*.sock") if len(sys.argv) < 4 else [sys.argv[3]]:
    s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(path)
    hello = ticket + struct.pack(">4H", 24, 80, 0, 0) + b"xterm"
    s.sendall(struct.pack(">I", len(hello) + 1) + b"h" + hello)
    frame = s.recv(65536)
    print(chr(frame[4]) if frame else "closed"); break
`;

/** In the shim's place: asks the agent for a session as the shim does, then uses the ticket or gives it away. */
const CODE = `
import os, socket, struct, subprocess, sys
mode = os.environ.get("SSH_ORIGINAL_COMMAND", "")
if "principals" in sys.orig_argv: os.execv("${SHIM}.real", sys.orig_argv)
a = socket.socket(socket.AF_UNIX); a.connect("/run/sallyport/session.sock")
a.sendall(struct.pack(">I", 8) + b"s" + bytes([1, 0, 1]) + b"echo")
answer = a.recv(65536)
ticket, path = answer[5:37].hex(), answer[37:].decode()
if mode == "give":
    done = subprocess.run(["python3", "/tmp/speak.py", "recorder", ticket, path], capture_output=True, text=True)
    print("thief:", done.stdout, done.stderr, flush=True)
elif mode == "leave":
    print("ticket", ticket, path, flush=True)
    sys.stdin.read()
else:
    s = socket.socket(socket.AF_UNIX); s.connect(path)
    hello = bytes.fromhex(ticket) + bytes(8)
    s.sendall(struct.pack(">I", len(hello) + 1) + b"h" + hello)
    print("own:", chr(s.recv(65536)[4]), flush=True)
`;
const FALSE_SHIM = `import os
if os.readlink("/proc/self/exe") == "${SHIM}":
${CODE.trim().replaceAll(/^/gm, "    ")}
    os._exit(0)
`;
