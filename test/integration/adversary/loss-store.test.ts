import assert from "node:assert/strict";
import { existsSync, globSync, mkdirSync, renameSync, rmdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../../demo/light-host/until.ts";
import { agentLog } from "../../fixtures/agent-log.ts";
import { run } from "../../fixtures/processes.ts";
import { sessionWhere } from "../../fixtures/sessions.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

/** Random text: what compression cannot make small. */
const RANDOM_TEXT = "head -c 3000000 /dev/urandom | base64";

describe("a control plane whose disk is in trouble", () => {
  let world: World;
  let alice: Person;
  let recordings: string;

  before(async () => {
    world = await startWorld({ engagements: [{ name: "web", members: ["alice"] }] });
    recordings = join(world.directory, "control-plane/recordings");
    alice = await world.signedIn("alice");
  });
  after(() => world.close());

  const login = (command: string) => run(alice.ssh("-q", "web-1", command), { env: alice.env });
  const waiting = async () => {
    const { stdout } = await world.host.run(["ls", "/var/lib/sallyport/spool"]);
    return stdout.split("\n").filter((name) => name.startsWith("ses_"));
  };
  const linksMade = () => agentLog(world).filter(({ message }) => message.startsWith("connected")).length;
  const asRoot = async (...argv: string[]) => assert.equal((await run(argv)).status, 0, argv.join(" "));
  const fileOf = (id: string) => globSync(join(recordings, "*", `${id}.spr`))[0] ?? "";

  async function isStoredWhole(id: string, shown: Buffer): Promise<void> {
    const raw = await alice.sallyport(["export", id, "--format", "raw"]);
    assert.ok(raw.stdout.equals(shown), `${shown.length} bytes shown, ${raw.stdout.length} stored`);
    assert.equal((await alice.sallyport(["verify", id])).status, 0);
  }

  describe("because it is full", () => {
    let outcome: Awaited<ReturnType<typeof login>>;
    before(async () => {
      mkdirSync(recordings, { recursive: true, mode: 0o700 });
      await asRoot("mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "small", recordings);
    });
    after(() => asRoot("umount", "--lazy", recordings));

    it("ends no session and refuses none, and uploads wait on the host", async () => {
      outcome = await login(`${RANDOM_TEXT}; exit 61`);
      assert.equal(outcome.status, 61);
      assert.ok(await until(async () => (await waiting()).length > 0, 5_000));
      assert.equal((await login("echo next; exit 62")).stdout.toString(), "next\n");
    });

    it("keeps its link to the host, and fills no log", async () => {
      const before = agentLog(world);
      const links = linksMade();
      await until(() => false, 3_000); // nothing is to happen
      assert.equal(linksMade(), links);
      assert.ok(agentLog(world).length - before.length < 10);
      assert.equal((await waiting()).length, 2);
    });

    it("has all of it, by itself, when there is room", async () => {
      await asRoot("mount", "-o", "remount,size=64m", recordings);
      for (const status of [61, 62]) await sessionWhere(alice, (one) => one.exitStatus === status, 30_000);
      assert.ok(await until(async () => (await waiting()).length === 0, 5_000));
      const { id } = await sessionWhere(alice, (one) => one.exitStatus === 61);
      await isStoredWhole(id, outcome.stdout);
    });
  });

  it("stores the others when one recording cannot be written, and that one too when it can", async () => {
    const terminal = new TerminalClient(alice.ssh("-q", "web-1"), { env: alice.env });
    await terminal.shows(/\$ $/);
    const { id } = await sessionWhere(alice, ({ state }) => state === "live");
    const file = fileOf(id);
    const links = linksMade();
    renameSync(file, `${file}.aside`);
    mkdirSync(file);
    terminal.type("seq 1000; echo do''ne\r");
    await terminal.shows(/done/);
    for (const status of [71, 72, 73]) {
      assert.equal((await login(`echo other; exit ${status}`)).status, status);
      await sessionWhere(alice, (one) => one.exitStatus === status, 5_000);
    }
    terminal.type("exit 74\r");
    assert.equal(await terminal.exited, 74);
    assert.deepEqual(await waiting(), [id]);
    assert.equal(linksMade(), links);
    rmdirSync(file);
    renameSync(`${file}.aside`, file);
    await sessionWhere(alice, (one) => one.exitStatus === 74, 30_000);
    await isStoredWhole(id, terminal.bytes);
  });

  it("has each block once though it is killed again and again while it stores", async () => {
    const session = login(
      "for i in 1 2 3 4 5 6 7 8 9 10; do head -c 600000 /dev/urandom | base64; sleep 1; done; exit 81",
    );
    const { id } = await sessionWhere(alice, ({ state }) => state === "live");
    for (let kills = 0; kills < 6; kills++) {
      const size = () => (existsSync(fileOf(id)) ? statSync(fileOf(id)).size : 0);
      const before = size();
      await until(() => size() > before, 10_000);
      await world.stopControlPlane("SIGKILL");
      await world.startControlPlane();
    }
    const outcome = await session;
    assert.equal(outcome.status, 81);
    await sessionWhere(alice, (one) => one.exitStatus === 81, 30_000);
    await isStoredWhole(id, outcome.stdout);
    assert.equal((await world.host.run(["ls", "/var/lib/sallyport/spool/rejected"])).stdout, "");
  });
});
