import assert from "node:assert/strict";
import { until } from "../../../demo/light-host/until.ts";
import { logged } from "../../fixtures/agent-log.ts";
import { run } from "../../fixtures/processes.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

/**
 * An account whose login shell is bash: as sshd's child it runs `~/.bashrc` before the forced command, so before the
 * recorder. Refused, unless the engagement accepts it: then the watchdog sees to what does not come to the recorder.
 */
describe("a shared account with an unsafe shell", () => {
  let world: World;
  let alice: Person;
  let carol: Person;
  before(async () => {
    world = await startWorld({
      engagements: [
        { name: "careful", members: ["alice"], accounts: ["legacy"] },
        { name: "accepts", members: ["carol"], accounts: ["legacy"], acceptUnsafeShell: true },
      ],
      accounts: [{ name: "legacy", shell: "/bin/bash", groups: ["sallyport"] }],
    });
    alice = await world.signedIn("alice");
    carol = await world.signedIn("carol");
  });
  after(() => world.close());

  const bashrc = (text: string) =>
    world.host.run(["sh", "-c", "cat > ~/.bashrc"], {
      uid: "legacy",
      env: { HOME: "/home/legacy" },
      input: text,
    });
  const runs = async (name: string) => (await world.host.run(["pgrep", "-f", `^${name}`])).stdout !== "";

  it("is refused where its engagement does not accept it", async () => {
    const { status, stderr } = await run(alice.ssh("legacy@web-1", "true"), { env: alice.env });
    assert.equal(status, 254);
    assert.match(stderr, /^sallyport: Account legacy cannot be used safely on this host\./);
  });

  it("is recorded as always where it is accepted and its files do nothing", async () => {
    await bashrc("export FROM_BASHRC=yes\n");
    const { stdout } = await run(carol.ssh("legacy@web-1", "echo $FROM_BASHRC"), { env: carol.env });
    assert.equal(stdout.toString(), "yes\n");
  });

  it("loses a login that stays short of the recorder, within 2 s", async () => {
    await bashrc("exec -a past-the-recorder sleep 3000\n");
    const login = run(carol.ssh("legacy@web-1", "true"), { env: carol.env });
    assert.ok(await until(() => runs("past-the-recorder"), 10_000), "the attack does run");
    const begun = performance.now();
    assert.ok(await until(async () => !(await runs("past-the-recorder")), 2_000));
    assert.notEqual((await login).status, 0);
    assert.ok(performance.now() - begun < 3_500);
    const line = await logged(world, (one) => one.kind === "watchdog-killed");
    assert.match(JSON.stringify(line.processes), /past-the-recorder/);
  });

  it("loses what its files put into the background before the recorder, while the session goes on", async () => {
    // In the session bash reads the same file once more, recorded; so only where sshd is the parent. It waits until the name is there.
    await bashrc(
      "case $(ps -o comm= $PPID) in sshd*) (exec -a in-the-background sleep 3000) >/dev/null 2>&1 & " +
        "until pgrep -f ^in-the-back >/dev/null; do sleep 0.01; done ;; esac\n",
    );
    const { stdout } = await run(carol.ssh("legacy@web-1", "sleep 1; pgrep -f ^in-the-back; echo done"), {
      env: carol.env,
    });
    assert.equal(stdout.toString(), "done\n");
    const killed = await logged(world, (one) => JSON.stringify(one.processes ?? "").includes("in-the-back"));
    assert.equal(killed.kind, "watchdog-killed");
  });
});
