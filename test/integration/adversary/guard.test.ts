import assert from "node:assert/strict";
import { until } from "../../../demo/light-host/until.ts";
import { logged } from "../../fixtures/agent-log.ts";
import { run } from "../../fixtures/processes.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

/** Speaks as the shim does, gets a session, and runs its commands beside it. */
const FALSE_SHIM = `
import os, socket, struct, subprocess, sys, time
def frame(kind, data): return struct.pack(">I", len(data) + 1) + kind + data
def read(s):
    head = b""
    while len(head) < 5:
        got = s.recv(5 - len(head))
        if not got: sys.exit(1)
        head += got
    left, data = struct.unpack(">I", head[:4])[0] - 1, b""
    while len(data) < left: data += s.recv(left - len(data))
    return head[4:], data
agent = socket.socket(socket.AF_UNIX); agent.connect("/run/sallyport/session.sock")
agent.send(frame(b"s", bytes([1, 0, 1]) + b"true"))
kind, data = read(agent)
if kind != b"g": os.execv("/bin/sleep", ["refused-false-shim", "1"])
recorder = socket.socket(socket.AF_UNIX); recorder.connect(data[32:].decode())
recorder.send(frame(b"h", data[:32] + bytes(8)))
read(recorder)
subprocess.run(["bash", "--norc", "-c", "exec -a beside-the-recorder sleep 3000"])
`;

describe("round the guard of a login", () => {
  let world: World;
  let carol: Person;
  before(async () => {
    world = await startWorld({
      engagements: [
        { name: "accepts", members: ["carol"], accounts: ["legacy", "deploy"], acceptUnsafeShell: true },
      ],
      accounts: [{ name: "legacy", shell: "/bin/bash", groups: ["sallyport"] }, { name: "deploy" }],
    });
    carol = await world.signedIn("carol");
  });
  after(() => world.close());

  const write = (file: string, text: string) =>
    world.host.run(["sh", "-c", `cat > ~/${file}`], {
      uid: "legacy",
      env: { HOME: "/home/legacy" },
      input: text,
    });
  const runs = async (name: string) => (await world.host.run(["pgrep", "-f", `^${name}`])).stdout !== "";

  it("a program that speaks as the shim does gets no session", async () => {
    await write("false-shim.py", FALSE_SHIM);
    await write(".bashrc", "exec /usr/bin/python3 ~/false-shim.py\n");
    const login = run(carol.ssh("legacy@web-1", "true"), { env: carol.env });
    await login;
    assert.equal(await runs("beside-the-recorder"), false);
    await logged(world, (one) => one.code === "no-shim");
  });

  it("a session that begins as another ends on the same connection is left alone", async () => {
    await write(".bashrc", "for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done\n");
    for (const account of ["legacy", "deploy"]) {
      const path = `${carol.home}/mux-${account}`;
      const options = ["-o", "ControlMaster=auto", "-o", `ControlPath=${path}`, "-o", "ControlPersist=30"];
      const statuses: (number | null)[] = [];
      for (let i = 0; i < 60; i++) {
        const { status } = await run(carol.ssh(...options, `${account}@web-1`, "true"), { env: carol.env });
        statuses.push(status);
      }
      await run(["ssh", "-O", "exit", "-o", `ControlPath=${path}`, "web-1"], { env: carol.env });
      assert.ok(
        statuses.every((status) => status === 0),
        `${account}: ${statuses.join()}`,
      );
    }
  });

  it("connections of anybody on the host end no session and keep nobody out", async () => {
    const flood = `
import glob, resource, socket, time
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
held = []
for path in glob.glob("/run/sallyport/recorder*.sock")[:1] * 20000:
    if len(held) > hard - 100: break
    try:
        s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(path); held.append(s)
    except OSError: pass
print("held", len(held), flush=True)
time.sleep(2)
`;
    const before = world.host.recorderPids();
    const long = run(carol.ssh("deploy@web-1", "sleep 12; echo whole"), { env: carol.env });
    assert.ok(await until(() => runs("sleep 12"), 10_000));
    const attack = world.host.run(["/usr/bin/python3", "-c", flood], { uid: "legacy" });
    assert.match((await attack).stdout, /^held [0-9]{3,}/);
    assert.deepEqual(world.host.recorderPids(), before);
    const { status } = await run(carol.ssh("deploy@web-1", "true"), { env: carol.env });
    assert.equal(status, 0);
    assert.equal((await long).stdout.toString(), "whole\n");
  });

  it("a restart of the agent while a recorder is slow ends no session", async () => {
    const session = run(carol.ssh("deploy@web-1", "sleep 26; echo whole"), { env: carol.env });
    assert.ok(await until(() => runs("sleep 26"), 10_000));
    const recorders = world.host.recorderPids();
    // Until a shim is older than one that may yet be asking for its session.
    await new Promise((resolve) => setTimeout(resolve, 16_000));
    await world.host.stopAgent();
    for (const pid of recorders) process.kill(pid, "SIGSTOP");
    await world.host.startAgent();
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    for (const pid of recorders) process.kill(pid, "SIGCONT");
    const { stdout, status, stderr } = await session;
    assert.deepEqual([stdout.toString(), status, stderr], ["whole\n", 0, ""]);
  });
});
