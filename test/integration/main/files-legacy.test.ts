import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import { until } from "../../../demo/light-host/until.ts";
import { run } from "../../fixtures/processes.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";
import { StoredRecordings } from "../adversary/support/stored-recordings.ts";

describe("an engagement that lets files be moved by scp -O and rsync", () => {
  let world: World;
  let alice: Person;
  let here: string;

  before(async () => {
    const directories = [
      { path: "~/drop", access: "read-write", maxFileSize: 20_000_000 },
      { path: "~/logs", access: "read" },
      { path: "~/in", access: "write" },
    ];
    const files = { protocols: ["legacy-scp", "rsync"], directories };
    world = await startWorld({
      engagements: [{ name: "web", members: ["alice"], mode: "files", contact: "dana@company.test", files }],
    });
    alice = await world.signedIn("alice");
    here = join(world.directory, "here");
    mkdirSync(here);
    const script = `cd /home/deploy; mkdir -p drop in logs/old; echo secret > .key; echo one > logs/a; ln -s ../.key logs/key
      ln -s .. drop/up; echo old > in/a; echo secret > drop/rules; echo > drop/secret`;
    const made = await world.host.run(["sh", "-ec", script], { uid: "deploy" });
    assert.equal(made.status, 0, made.stderr);
  });
  after(() => world.close());

  const config = () => join(alice.home, "ssh_config");
  const scp = (...args: string[]) =>
    run(["scp", "-O", "-F", config(), ...args], { env: alice.env, cwd: here });
  const rsync = (...args: string[]) =>
    run(["rsync", "-e", `ssh -F ${config()}`, ...args], { env: alice.env, cwd: here });
  const file = (name: string, content: Buffer | string) => {
    writeFileSync(join(here, name), content);
    return sha256(name);
  };
  const sha256 = (name: string) =>
    createHash("sha256")
      .update(readFileSync(join(here, name)))
      .digest("hex");
  const onHost = async (path: string) =>
    (await world.host.run(["sha256sum", `/home/deploy/${path}`])).stdout.toString().slice(0, 64);
  /** What the recording of the newest session with such a command tells, in short. */
  const told = async (command: RegExp) => {
    const stored = new StoredRecordings(world, alice);
    let id: string | undefined;
    const isThere = async () => {
      const [session] = (await stored.list()).filter((one) => command.test(one.command ?? ""));
      id = session?.state === "ended" ? session.id : undefined;
      return id !== undefined;
    };
    assert.ok(await until(isThere, 10_000));
    const frames = await stored.verified(id ?? "");
    const events = frames
      .filter(({ kind }) => kind === FrameKind.event)
      .map(({ data }) => SessionEvent.parse(JSON.parse(Buffer.from(data).toString())));
    return events.map((event) =>
      event.type === "file"
        ? `${event.operation} ${event.path.replace("/home/deploy/", "")} ${event.result} ${event.sha256 ?? "-"}`
        : event.type,
    );
  };

  it("puts and gets by scp -O", async () => {
    const digest = file("big", randomBytes(3_000_000));
    const put = await scp("-p", "big", "web-1:drop/one");
    assert.deepEqual([put.status, put.stderr], [0, ""]);
    assert.equal(await onHost("drop/one"), digest);
    assert.deepEqual(await told(/^scp -p -t/), [`write drop/one ok ${digest}`]);
    const got = await scp("-r", "web-1:logs", "logs");
    assert.equal(got.status, 1);
    assert.match(got.stderr, /logs\/key: Permission denied/);
    assert.ok(!existsSync(join(here, "logs/key")));
    assert.deepEqual((await told(/^scp -r -f/)).sort(), [
      "list logs ok -",
      "list logs/old ok -",
      `read logs failed -`,
      `read logs/a ok ${sha256("logs/a")}`,
    ]);
  });

  it("puts and gets by rsync, and only what has changed", async () => {
    file("data", randomBytes(5_000_000));
    const put = await rsync("-a", "data", "web-1:drop/");
    assert.deepEqual([put.status, put.stderr], [0, ""]);
    appendFileSync(join(here, "data"), "more");
    const again = await rsync("-ac", "--stats", "data", "web-1:drop/");
    assert.deepEqual([again.status, again.stderr], [0, ""]);
    const [, literal = ""] = /Literal data: ([\d,]+)/.exec(again.stdout.toString()) ?? [];
    assert.ok(Number(literal.replaceAll(",", "")) < 10_000, again.stdout.toString());
    assert.equal(await onHost("drop/data"), sha256("data"));
    assert.deepEqual(await told(/^rsync --server .*--stats/), [`write drop/data ok ${sha256("data")}`]);
    const got = await rsync("-a", "web-1:logs/a", "web-1:drop/data", "copied");
    assert.deepEqual([got.status, got.stderr], [0, ""]);
    assert.deepEqual(await told(/^rsync --server --sender/), [
      `read logs/a ok ${sha256("copied/a")}`,
      `read drop/data ok ${sha256("copied/data")}`,
    ]);
  });

  it("writes by rsync where nothing may be read, without reading", async () => {
    const digest = file("a", "new");
    const put = await rsync("-a", "a", "web-1:in/");
    assert.deepEqual([put.status, put.stderr], [0, ""]);
    assert.equal(await onHost("in/a"), digest);
    assert.deepEqual(await told(/^rsync --server \S+ . in/), [`write in/a ok ${digest}`]);
  });

  it("leaves it to the kernel where a stream leads outside", async () => {
    // Names of files with filter rules are in the stream: rsync would read any, and who pulls sees by what is missing what is in it.
    const pull = (rules: string, to: string) =>
      rsync("-r", `--filter=dir-merge,- /home/deploy/${rules}`, "web-1:drop/", to);
    assert.equal((await pull("drop/rules", "control")).status, 0);
    assert.ok(!existsSync(join(here, "control/secret")));
    assert.equal((await pull(".key", "leak")).status, 0);
    assert.ok(existsSync(join(here, "leak/secret")));
    file("huge", Buffer.alloc(20_000_001));
    const { stdout } = await rsync("-a", "huge", "web-1:drop/");
    assert.match(stdout.toString(), /huge is over max-size/);
    assert.deepEqual(await told(/^rsync --server -logDtpre\S+ . drop/), ["write drop/huge refused -"]);
  });

  for (const [what, move, message] of [
    [
      "a path outside",
      () => scp("a", "web-1:.ssh/authorized_keys"),
      /\.ssh\/authorized_keys is not in a directory that may be written/,
    ],
    [
      "a path through a link",
      () => rsync("a", "web-1:drop/up/x"),
      /drop\/up\/x is not in a directory that may be written/,
    ],
    ["the other direction", () => rsync("web-1:in/a", "b"), /in\/a is not in a directory that may be read/],
    ["a program", () => rsync("-a", "--rsync-path=sh -c id; rsync", "a", "web-1:drop"), /sallyport/],
    ["an option", () => rsync("-aL", "web-1:logs", "b"), /The option -L of rsync is not allowed here/],
    ["hidden paths", () => rsync("-as", "a", "web-1:drop"), /The option -s of rsync is not allowed here/],
    ["a pattern", () => scp("web-1:logs/*", "."), /`\*` stands for names of files/],
  ] as const)
    it(`refuses ${what} with a sentence`, async () => {
      const { status, stderr } = await move();
      assert.notEqual(status, 0);
      assert.match(stderr, message);
    });
});
