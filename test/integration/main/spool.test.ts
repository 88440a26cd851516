import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { agentLog, logged } from "../../fixtures/agent-log.ts";
import { sshWithIdentity } from "../../fixtures/forged-login.ts";
import { run } from "../../fixtures/processes.ts";
import { sessionWhere } from "../../fixtures/sessions.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

const STATE = "/var/lib/sallyport";
const LAST_WORDS = "sallyport: this session cannot be recorded any longer, so it ends.";

/** Makes the agent's state directory a small disk of its own, as the host's own commands do it. */
async function moveToSmallDisk(world: World, disk: string, config: string): Promise<void> {
  const { host } = world;
  await host.stopAgent();
  const script = `set -e
    cp -a ${STATE} /root/state
    mount -t tmpfs -o mode=0700,${disk} small ${STATE}
    cp -a /root/state/. ${STATE}
    rm -r /root/state
    printf '${config}' >> /etc/sallyport/agent.yaml`;
  const { status, stderr } = await host.run(["sh", "-c", script]);
  assert.equal(status, 0, stderr);
  await host.startAgent();
}

/** One way of taking what the spool needs, and of giving it back. */
interface Shortage {
  what: string;
  disk: string;
  /** For a shell in the host, as root; ends when nothing is left. */
  take: string;
  giveBack: string;
  /** A command for the session that goes on until it cannot be recorded. */
  inSession: string;
  lacks: RegExp;
  durability: "normal" | "strict";
}

const SHORTAGES: Shortage[] = [
  {
    what: "a disk of 20 MB that is filled",
    disk: "size=20m",
    take: `dd if=/dev/zero of=${STATE}/filler bs=1024 2>&1; true`,
    giveBack: `rm ${STATE}/filler`,
    inSession: "i=0; while :; do echo line $i of what is shown; i=$((i+1)); sleep 0.005; done\r",
    lacks: /MiB are free, diskReserve is 4\.0 MiB/,
    durability: "normal",
  },
  {
    what: "a disk whose inodes are used up",
    disk: "size=200m,nr_inodes=400",
    take: `mkdir ${STATE}/f; cd ${STATE}/f; i=0; while touch $i 2>/dev/null; do i=$((i+1)); done; true`,
    giveBack: `rm -r ${STATE}/f`,
    inSession: "i=0; while :; do echo line $i of what is shown; seq 2000; i=$((i+1)); sleep 0.03; done\r",
    lacks: /inodes are free, inodeReserve is 50/,
    durability: "strict",
  },
];

for (const { what, disk, take, giveBack, inSession, lacks, durability } of SHORTAGES) {
  describe(`the spool on ${what} in the middle of a session`, () => {
    let directory: string;
    let world: World;
    let alice: Person;
    let terminal: TerminalClient;
    let shown: Buffer;

    before(async () => {
      directory = mkdtempSync(join(tmpdir(), "sallyport-admin-"));
      await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", join(directory, "key")]);
      const authorizedKeys = [readFileSync(join(directory, "key.pub"), "utf8").trim()];
      world = await startWorld({
        engagements: [{ name: "web", members: ["alice"] }],
        accounts: [{ name: "deploy" }, { name: "keeper", shell: "/bin/bash", authorizedKeys }],
      });
      await moveToSmallDisk(world, disk, `diskReserve: 4\\ninodeReserve: 50\\ndurability: ${durability}\\n`);
      alice = await world.signedIn("alice");
    });
    after(async () => {
      await world.close();
      rmSync(directory, { recursive: true });
    });

    const inHost = async (script: string): Promise<void> => {
      const { status, stderr } = await world.host.run(["sh", "-c", script]);
      assert.equal(status, 0, stderr);
    };
    const login = (command: string) => run(alice.ssh("-q", "web-1", command), { env: alice.env });

    it("ends the session with a message", async () => {
      terminal = new TerminalClient(alice.ssh("-q", "web-1"), { env: alice.env });
      await terminal.shows(/\$ $/);
      terminal.type(inSession);
      await terminal.shows(/line 20 /);
      await inHost(take);
      assert.equal(await terminal.exited, 254);
      const end = terminal.bytes.indexOf(LAST_WORDS);
      assert.ok(end > 0, "it says why");
      shown = terminal.bytes.subarray(0, end);
      assert.match(
        terminal.bytes.subarray(end).toString(),
        /^sallyport: .* Tell the host's administrators\.\r\n$/,
      );
    });

    it("refuses new logins with a code", async () => {
      const outcome = await login("echo in");
      assert.equal(outcome.status, 254);
      assert.equal(outcome.stdout.toString(), "");
      assert.match(outcome.stderr, /^sallyport: This host has no room left to record a session/);
      const why = JSON.parse((await alice.sallyport(["why", "--json"])).stdout.toString()) as unknown;
      assert.match(JSON.stringify(why), /spool-full/);
      const line = await logged(world, (one) => one.code === "spool-full" && one.level === "error");
      assert.match(String(line.detail), lacks);
    });

    it("lets an administrator in", async () => {
      const argv = [...sshWithIdentity(world, join(directory, "key"), "keeper"), "echo admin"];
      assert.equal((await run(argv)).stdout.toString(), "admin\n");
    });

    it("says so once, however many try, and the agent goes on", async () => {
      const pid = world.host.agentPid();
      for (let i = 0; i < 5; i++) assert.equal((await login("echo in")).status, 254);
      assert.equal(world.host.agentPid(), pid);
      const errors = agentLog(world).filter((line) => line.level === "error" || line.level === "warn");
      const same = Map.groupBy(errors, ({ timestamp: _, ...said }) => JSON.stringify(said));
      assert.deepEqual(
        [...same.values()].filter((lines) => lines.length > 1),
        [],
      );
    });

    it("has an agent that starts there, and still refuses", async () => {
      await world.host.killAgent("SIGKILL");
      await world.host.agentReady();
      const outcome = await login("echo in");
      assert.equal(outcome.status, 254);
      assert.match(outcome.stderr, /^sallyport: This host has no room left/);
    });

    it("takes logins again as soon as there is room, and nothing is started anew", async () => {
      const pid = world.host.agentPid();
      await inHost(giveBack);
      const outcome = await login("echo back");
      assert.equal(outcome.stdout.toString(), "back\n");
      assert.equal(world.host.agentPid(), pid);
    });

    it("has everything recorded that was shown, with an end, and it verifies", async () => {
      const { id } = await sessionWhere(alice, (one) => one.endReason === "spool-failed", 30_000);
      const raw = await alice.sallyport(["export", id, "--format", "raw"]);
      assert.ok(raw.stdout.subarray(0, shown.length).equals(shown), "every byte that was shown, once");
      assert.equal((await alice.sallyport(["verify", id])).status, 0);
    });
  });
}
