import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { until } from "../../../demo/light-host/until.ts";
import { logged } from "../../fixtures/agent-log.ts";
import { run } from "../../fixtures/processes.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

/** Forwarding is off, but where an engagement names a destination: then that one alone, and it is logged. */
describe("forwarding", () => {
  let world: World;
  let alice: Person;
  let carol: Person;
  let dave: Person;
  let target: Server;
  let other: Server;
  const portOf = (server: Server) => (server.address() as { port: number }).port;
  before(async () => {
    const listening = async (answer: string) => {
      const server = createServer((socket) => socket.write(answer));
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    };
    target = await listening("the database");
    other = await listening("something else");
    world = await startWorld({
      engagements: [
        { name: "none", members: ["alice"] },
        { name: "database", members: ["carol"], forwarding: { local: [`127.0.0.1:${portOf(target)}`] } },
        { name: "listener", members: ["dave"], forwarding: { remote: ["localhost:39117"], agent: true } },
      ],
    });
    alice = await world.signedIn("alice");
    carol = await world.signedIn("carol");
    dave = await world.signedIn("dave");
  });
  after(async () => {
    target.close();
    other.close();
    await world.close();
  });

  const through = (person: Person, port: number) =>
    run(person.ssh("-W", `127.0.0.1:${port}`, "web-1"), { env: person.env });
  /** ssh with a forwarding that has to come about; its exit status, or null while it stays. */
  const forwards = async (person: Person, ...options: string[]): Promise<string> => {
    const [program = "", ...argv] = person.ssh(
      "-N",
      "-v",
      "-o",
      "ExitOnForwardFailure=yes",
      ...options,
      "web-1",
    );
    const ssh = spawn(program, argv, { env: person.env, stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    ssh.stderr.on("data", (chunk) => (said += String(chunk)));
    const ended = once(ssh, "close");
    await until(() => ssh.exitCode !== null || /remote forward success/.test(said), 10_000);
    ssh.kill();
    await ended;
    return said;
  };

  it("is refused where nothing grants it, to the host's own sshd too", async () => {
    for (const port of [portOf(target), world.host.port]) {
      const { status, stdout, stderr } = await through(alice, port);
      assert.equal(stdout.toString(), "");
      assert.notEqual(status, 0);
      assert.match(stderr, /administratively prohibited|open failed/);
    }
    assert.match(await forwards(alice, "-R", "39117:127.0.0.1:22"), /remote port forwarding failed/);
  });

  it("of the agent, X11, a tunnel and a Unix socket is refused as well", async () => {
    const agent = await run(alice.ssh("-A", "web-1", 'echo "[$SSH_AUTH_SOCK]"'), { env: alice.env });
    assert.equal(agent.stdout.toString(), "[]\n");
    const x11 = await run(alice.ssh("-X", "-o", "ForwardX11Trusted=yes", "web-1", 'echo "[$DISPLAY]"'), {
      env: { ...alice.env, DISPLAY: ":0" },
    });
    assert.equal(x11.stdout.toString(), "[]\n");
    const tunnel = await run(alice.ssh("-w", "any", "-o", "ExitOnForwardFailure=yes", "web-1", "true"), {
      env: alice.env,
    });
    assert.notEqual(tunnel.status, 0);
    assert.match(
      await forwards(alice, "-R", "/tmp/forwarded.sock:127.0.0.1:22"),
      /remote port forwarding failed/,
    );
  });

  it("goes to the destination that is granted and to no other, and is logged with its two ends", async () => {
    // The destination holds the connection for a moment, as a database would.
    const [granted] = await Promise.all([
      new Promise<string>((resolve) => {
        const [program = "", ...argv] = carol.ssh("-W", `127.0.0.1:${portOf(target)}`, "web-1");
        const ssh = spawn(program, argv, { env: carol.env, stdio: ["pipe", "pipe", "ignore"] });
        let got = "";
        ssh.stdout.on("data", (chunk) => (got += String(chunk)));
        void logged(world, (line) => line.message === "forward-opened").then(() => ssh.stdin.end());
        ssh.on("close", () => resolve(got));
      }),
      logged(
        world,
        (line) => line.message === "forward-opened" && line.peer === `127.0.0.1:${portOf(target)}`,
      ),
    ]);
    assert.equal(granted, "the database");
    await logged(
      world,
      (line) => line.message === "forward-closed" && line.peer === `127.0.0.1:${portOf(target)}`,
    );
    const refused = await through(carol, portOf(other));
    assert.equal(refused.stdout.toString(), "");
    assert.match(await forwards(carol, "-R", "39118:127.0.0.1:22"), /remote port forwarding failed/);
  });

  it("of a port on the host is granted at that port alone", async () => {
    const options = ["-R", `39117:127.0.0.1:${portOf(target)}`];
    assert.match(await forwards(dave, ...options), /remote forward success/);
    assert.match(
      await forwards(dave, "-R", `39118:127.0.0.1:${portOf(target)}`),
      /remote port forwarding failed/,
    );
    assert.equal((await through(dave, portOf(target))).stdout.toString(), "");
  });
});
