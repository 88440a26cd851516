import assert from "node:assert/strict";
import { until } from "../../../demo/light-host/until.ts";
import { logged } from "../../fixtures/agent-log.ts";
import { run } from "../../fixtures/processes.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

const POLICY_D = "/etc/sallyport/policy.d";

describe("the host's own administrator", () => {
  let world: World;
  let alice: Person;

  before(async () => {
    world = await startWorld({
      engagements: [{ name: "web", members: ["alice"] }],
      accounts: [{ name: "deploy" }],
    });
    alice = await world.signedIn("alice");
  });
  after(() => world.close());
  afterEach(async () => {
    await inside(`rm -rf ${POLICY_D}`);
    await comesIn();
  });

  const inside = async (command: string) => {
    const { status, stderr } = await world.host.run(["sh", "-ec", command]);
    assert.equal(status, 0, stderr);
  };
  /** Puts a file in place as careful tools do: beside it first, then renamed. */
  const put = (name: string, text: string) =>
    inside(
      `mkdir -p ${POLICY_D}; printf '${text}' > ${POLICY_D}/.new; mv ${POLICY_D}/.new ${POLICY_D}/${name}`,
    );
  const logIn = () => run(alice.ssh("-q", "web-1", "echo in"), { env: alice.env });
  const comesIn = async () =>
    assert.ok(await until(async () => (await logIn()).status === 0, 10_000), "nobody comes in");

  it("keeps a vendor out, which is told, and ends what runs", async () => {
    const terminal = new TerminalClient(alice.ssh("web-1"), { env: alice.env });
    await terminal.shows(/\$ $/);
    await put("10-vendors.yaml", "version: 1\\ndeny:\\n  vendors: [vendor]\\n");
    await terminal.shows(
      /sallyport: The host's own policy does not allow your access.*This session ends now/,
    );
    await terminal.exited;
    const { status, stderr } = await logIn();
    assert.equal(status, 254);
    assert.match(
      stderr,
      /^sallyport: The host's own policy does not allow your access, although engagement web does\. Ask the host's administrators\.$/m,
    );
    await logged(world, (line) => line.message === "login" && line.code === "local-policy");
    await logged(world, (line) => line.message === "the local policy has changed");
  });

  it("is not undone by a mistake in a file that was right, across a restart too", async () => {
    await put("10-accounts.yaml", "version: 1\\naccounts: [postgres]\\n");
    assert.ok(await until(async () => (await logIn()).status === 254, 10_000));
    await put("10-accounts.yaml", "version: 1\\naccount: [deploy]\\n");
    const line = await logged(world, (one) => one.message === "a local policy is broken");
    assert.match(
      String(line.error),
      /policy\.d\/10-accounts\.yaml:2:1: account: .*What it said before still holds/,
    );
    assert.equal((await logIn()).status, 254);
    await world.host.killAgent("SIGKILL");
    await world.host.agentReady();
    assert.equal((await logIn()).status, 254);
  });

  it("lets nobody in with a file that was never right, and leaves sessions alone", async () => {
    const terminal = new TerminalClient(alice.ssh("web-1"), { env: alice.env });
    await terminal.shows(/\$ $/);
    await put("20-new.yaml", "version: 1\\nallow: everything\\n");
    assert.ok(await until(async () => (await logIn()).status === 254, 10_000));
    terminal.type("echo still $((40 + 2)); exit\r");
    await terminal.shows(/still 42/);
    await terminal.exited;
  });
});
