import assert from "node:assert/strict";
import { until } from "../../../demo/light-host/until.ts";
import { run } from "../../fixtures/processes.ts";
import { castEvents, sessionWhere } from "../../fixtures/sessions.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

const RULES = [
  { name: "show-hosts", program: "cat", arguments: ["/etc/hosts"], description: "Shows the names of hosts" },
  { program: "printf", arguments: [{ repeated: { matches: "[a-z %\\\\]*" }, to: 5 }] },
  { program: "wc", flags: ["-l", "-c"] },
  { program: "cat", arguments: [] },
  { program: "sort" },
  { program: "env" },
  { program: "stty", arguments: [{ oneOf: ["size", "-a"] }] },
  { program: "sleep", arguments: [{ integer: { from: 1, to: 60 } }] },
  { name: "nap", program: "sleep", arguments: ["99"], timeLimit: 1 },
  { program: "yes", outputLimit: 4096 },
  { program: "false" },
  { program: "vim", flags: ["-u", "-N", "-Z"], arguments: ["NONE", "/etc/hosts"] },
];

describe("an engagement that allows single commands", () => {
  let world: World;
  let alice: Person;

  before(async () => {
    world = await startWorld({
      engagements: [
        {
          name: "web",
          members: ["alice"],
          mode: "commands",
          commands: { rules: RULES },
          contact: "dana@company.test",
        },
      ],
    });
    alice = await world.signedIn("alice");
  });
  after(() => world.close());

  const ssh = (command: string, input?: string) =>
    run(alice.ssh("web-1", command), { env: alice.env, ...(input === undefined ? {} : { input }) });
  const open = (...argv: string[]) =>
    new TerminalClient(alice.ssh(...argv), {
      env: { ...alice.env, TERM: "xterm-256color" },
      columns: 91,
      rows: 33,
    });

  it("runs what is allowed, with its input, its output and its status", async () => {
    const shown = await ssh("cat /etc/hosts");
    assert.equal(shown.status, 0, shown.stderr);
    assert.match(shown.stdout.toString(), /localhost/);
    assert.equal((await ssh("wc -c", "12345")).stdout.toString(), "5\n");
    assert.equal((await ssh("printf 'b\\na\\n' | sort")).stdout.toString(), "a\nb\n");
    assert.equal((await ssh("false")).status, 1);
  });

  it("gives it a clean environment", async () => {
    const { stdout } = await ssh("env");
    assert.deepEqual(
      stdout
        .toString()
        .trim()
        .split("\n")
        .map((one) => one.split("=")[0])
        .sort(),
      ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "USER"],
    );
  });

  it("refuses all else with what is allowed, recorded and in the audit log", async () => {
    const refused = await ssh("cat /etc/hosts; id");
    assert.equal(refused.status, 126);
    assert.match(refused.stderr, /^sallyport: Refused: .*`;`.*\r\ncat \/etc\/hosts; id\r\n {14}\^\r\n/);
    assert.match(
      refused.stderr,
      /web allows on web-1:\r\n {2}cat \/etc\/hosts\r\n[\s\S]*dana@company\.test\r\n$/,
    );
    assert.equal(refused.stdout.length, 0);
    const session = await sessionWhere(
      alice,
      (one) => one.command === "cat /etc/hosts; id" && one.state === "ended",
    );
    assert.deepEqual([session.endReason, session.exitStatus], ["refused", 126]);
    const told = async () =>
      (await alice.sallyport(["export", session.id, "--format", "events"])).stdout.toString();
    assert.ok(
      await until(async () => /"command-refused"/.test(await told()), 10_000),
      "the host's event is there",
    );
  });

  it("ends what takes too long or prints too much", async () => {
    const [slept, said] = await Promise.all([ssh("sleep 99"), ssh("yes")]);
    assert.equal(slept.status, 254);
    assert.match(slept.stderr, /may run 1 s/);
    assert.deepEqual([said.status, said.stdout.length], [254, 4096]);
    assert.match(said.stderr, /may print 4096 bytes/);
    const sleeping = await sessionWhere(alice, (one) => one.command === "sleep 99" && one.state === "ended");
    assert.equal(sleeping.endReason, "time-limit");
    const saying = await sessionWhere(alice, (one) => one.command === "yes" && one.state === "ended");
    assert.equal(saying.endReason, "output-limit");
  });

  it("has no shell without a terminal", async () => {
    const refused = await run(alice.ssh("-T", "web-1"), { env: alice.env, input: "id\n" });
    assert.equal(refused.status, 126);
    assert.match(refused.stderr, /ssh -t web-1/);
    assert.equal(refused.stdout.length, 0);
  });

  it("runs a single command on a terminal", async () => {
    const terminal = open("-t", "web-1", "stty size");
    assert.equal(await terminal.exited, 0);
    assert.match(terminal.text, /33 91\r\n/);
  });

  it("has a prompt, which is recorded", async () => {
    const terminal = open("web-1");
    await terminal.shows(/engagement web: 12 commands[\s\S]*web-1> .*$/);
    for (const keys of ["cat /et", "\t", "| w", "\t", "-l\r"]) terminal.type(keys);
    await terminal.shows(/cat \/etc\/hosts[\s\S]*\r\n\d+\r\n[\s\S]*> /);
    terminal.type("stty size\r");
    await terminal.shows(/\r\n33 91\r\n[\s\S]*> /);
    terminal.resize(120, 40);
    terminal.type("stty size\r");
    await terminal.shows(/\r\n40 120\r\n[\s\S]*> /);
    terminal.type("rm -rf /\r");
    await terminal.shows(/Refused: `rm` is not one of the commands[\s\S]*> /);
    terminal.type("cat\r");
    await terminal.shows(/> .*cat\r\n(?![\s\S]*> )/);
    terminal.type("there\r");
    await terminal.shows(/there\r\nthere\r\n/);
    terminal.type("\x03");
    await terminal.shows(/\^C\r\n[\s\S]*> /);
    const before = terminal.bytes.length;
    terminal.type("vim -u NONE /etc/hosts\r");
    await terminal.shows(/\[\?1049h[\s\S]*localhost/, before);
    terminal.type(":q\r");
    await terminal.shows(/\[\?1049l[\s\S]*> /, before);
    terminal.type("exit\r");
    assert.equal(await terminal.exited, 0);

    const session = await sessionWhere(
      alice,
      (one) => one.kind === "pty" && one.command === null && one.state === "ended",
    );
    const markers = (await castEvents(alice, session.id))
      .filter(([, code]) => code === "m")
      .map(([, , text]) => text);
    assert.deepEqual(
      markers.filter((text) => text.startsWith("$") || text.startsWith("refused")),
      [
        ...["$ cat /etc/hosts | wc -l", "$ stty size", "$ stty size"],
        "refused: rm -rf / (`rm` is not one of the commands that are allowed here.)",
        ...["$ cat", "$ vim -u NONE /etc/hosts"],
      ],
    );
    const text = (await alice.sallyport(["export", session.id, "--format", "text"])).stdout.toString();
    assert.match(text, /\[\$ stty size\]\n33 91\n/);
    assert.equal((await alice.sallyport(["play", session.id, "--speed", "1000"])).status, 0);
    assert.equal((await alice.sallyport(["verify", session.id])).status, 0);
  });
});
