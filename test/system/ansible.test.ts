import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../fixtures/processes.ts";
import type { WholeHost } from "../fixtures/whole-host.ts";
import { startWorld, type World } from "../fixtures/world.ts";
import { ansibleHost, type Playbook } from "./support/ansible.ts";
import { build, packageFile } from "./support/packages.ts";
import { aptRepository } from "./support/repository.ts";

const NEXT = "0.1.1-1";
const STRICT = { sallyport_agent_config: { durability: "strict" } };
const CONFIG = "/etc/sallyport/agent.yaml";

describe("the Ansible role", function () {
  this.timeout(120_000);
  let world: World<WholeHost>;
  let playbook: Playbook;
  let token: string;
  let printed = "";
  let repository: { directory: string; key: string };
  before(async function () {
    this.timeout(400_000); // the first time, Debian's packages are fetched
    const next = mkdtempSync(join(tmpdir(), "sallyport-next-"));
    build(next, "--version", NEXT, "sallyport-agent");
    repository = aptRepository(packageFile(next, "sallyport-agent"));
    rmSync(next, { recursive: true });
    const enroll = async (ansible: Playbook, joinToken: string): Promise<void> => {
      playbook = ansible;
      token = joinToken;
      const dry = await playbook.play({}, "--check");
      assert.equal(dry.status, 0, dry.text);
      const first = await playbook.play({ sallyport_agent_join_token: joinToken }, "-vv", "--diff");
      printed = first.text;
      assert.equal(first.status, 0, printed);
      assert.ok(first.changed > 0);
    };
    world = await startWorld({
      host: ansibleHost(enroll, [repository.directory]),
      accounts: [],
      engagements: [{ name: "web", members: ["alice"], accounts: ["deploy"] }],
    });
  });
  after(() => world?.close());

  it("installs, enrols, and makes the account, so that a contractor gets in", async () => {
    const alice = await world.signedIn("alice");
    const { status, stdout, stderr } = await run(alice.ssh("web-1", "id -nG"), { env: alice.env });
    assert.equal(status, 0, String(stderr));
    assert.deepEqual(String(stdout).trim().split(" ").sort(), ["adm", "deploy", "sallyport"]);
  });

  it("shows the join token nowhere, and leaves none behind", async () => {
    assert.match(printed, /Enrolled as web-1/);
    assert.equal(printed.includes(token), false);
    const { status } = await world.host.run(["test", "-e", "/etc/sallyport/enroll.yaml"]);
    assert.equal(status, 1);
  });

  it("changes nothing the second time, and needs no token", async () => {
    const second = await playbook.play();
    assert.deepEqual([second.status, second.changed, second.failed], [0, 0, 0], second.text);
  });

  it("only says what it would change in check mode, and changes it without", async () => {
    const before = await world.host.readFile(CONFIG);
    const dry = await playbook.play(STRICT, "--check", "--diff");
    assert.equal(dry.status, 0, dry.text);
    assert.match(dry.text, /^\+durability: strict$/m);
    assert.equal(await world.host.readFile(CONFIG), before);

    const agent = world.host.agentPid();
    const real = await playbook.play(STRICT);
    assert.deepEqual([real.status, real.changed], [0, 2], real.text); // the file, and the restart
    assert.match(await world.host.readFile(CONFIG), /^durability: strict$/m);
    assert.notEqual(world.host.agentPid(), agent);
  });

  it("puts no configuration in place that the agent could not read", async () => {
    const before = await world.host.readFile(CONFIG);
    const played = await playbook.play({ sallyport_agent_config: { durabilty: "strict" } });
    assert.deepEqual([played.status, played.failed], [2, 1]);
    assert.match(played.text, /:\d+:\d+: durabilty: /);
    assert.equal(await world.host.readFile(CONFIG), before);
  });

  it("takes over no account that somebody else uses, unless it is told to", async () => {
    await world.host.run(["useradd", "--create-home", "--shell", "/bin/bash", "ci"]);
    const accounts = { sallyport_agent_accounts: [{ name: "ci" }] };
    const played = await playbook.play(accounts);
    assert.deepEqual([played.status, played.failed], [2, 1]);
    assert.match(played.text, /The account ci is there already/);
    assert.match((await world.host.run(["getent", "passwd", "ci"])).stdout, /:\/bin\/bash\n$/);
  });

  it("installs the version that is named from a repository that is named, and nothing again the second time", async () => {
    const variables = {
      sallyport_agent_package_file: "",
      sallyport_agent_version: NEXT,
      sallyport_agent_repository: { uris: `file:${repository.directory}`, suites: "./" },
      sallyport_agent_repository_key: repository.key,
      ...STRICT,
    };
    const first = await playbook.play(variables);
    assert.equal(first.status, 0, first.text);
    const { stdout } = await world.host.run(["sallyport-agent", "--version"]);
    assert.match(stdout, /^0\.1\.1\b/);
    const second = await playbook.play(variables);
    assert.deepEqual([second.status, second.changed], [0, 0], second.text);
  });

  it("fails the play where doctor finds something wrong, and says what", async () => {
    await world.host.run(["chmod", "0777", "/usr/lib/sallyport/shim"]);
    const played = await playbook.play({ sallyport_agent_package_file: "", ...STRICT });
    assert.deepEqual([played.status, played.failed], [2, 1], played.text);
    assert.match(played.text, /\/usr\/lib\/sallyport\/shim/);
  });
});
