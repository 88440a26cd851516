import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { sshWithIdentity } from "../../fixtures/forged-login.ts";
import { run } from "../../fixtures/processes.ts";
import { startWorld, type World } from "../../fixtures/world.ts";

const day = 86_400_000;

describe("a login", () => {
  let world: World;
  let adminKey: string;

  before(async () => {
    const directory = process.env.TMPDIR ?? "/tmp";
    adminKey = `${directory}/sallyport-admin-${process.pid}`;
    await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", adminKey]);
    const authorizedKeys = [readFileSync(`${adminKey}.pub`, "utf8").trim()];
    world = await startWorld({
      engagements: [
        { name: "web", members: ["alice", "bob"] },
        {
          name: "old",
          members: ["carol"],
          start: new Date(Date.now() - 9 * day),
          end: new Date(Date.now() - day),
        },
        {
          name: "next",
          members: ["dave"],
          start: new Date(Date.now() + day),
          end: new Date(Date.now() + 9 * day),
        },
      ],
      accounts: [
        { name: "deploy" },
        { name: "other" },
        { name: "keeper", shell: "/bin/bash", authorizedKeys },
      ],
    });
  });
  after(async () => {
    await world.close();
    await run(["rm", "-f", adminKey, `${adminKey}.pub`]);
  });

  const refusals: [who: string, code: string, told: RegExp][] = [
    [
      "bob",
      "mfa-required",
      /^sallyport: Engagement web needs a sign-in with a second factor; yours had none\./,
    ],
    [
      "carol",
      "engagement-ended",
      /^sallyport: Engagement old ended \d{4}-\d\d-\d\d .*Ask dana@company\.test\./,
    ],
    [
      "dave",
      "engagement-not-started",
      /^sallyport: Engagement next starts \d{4}-\d\d-\d\d .*Try again then\./,
    ],
  ];
  for (const [who, code, told] of refusals) {
    it(`is refused with ${code}, says why, and \`why\` says it again`, async () => {
      const person = await world.signedIn(who);
      const outcome = await run(person.ssh("web-1", "echo in"), { env: person.env });
      assert.equal(outcome.status, 254);
      assert.equal(outcome.stdout.toString(), "");
      assert.match(outcome.stderr, told);
      assert.equal(outcome.stderr.trim().split("\n").length, 1, "one sentence, no stack trace");
      const why = JSON.parse((await person.sallyport(["why", "--json"])).stdout.toString()) as Record<
        string,
        unknown
      >;
      assert.match(JSON.stringify(why), new RegExp(code));
    });
  }

  it("to an account that the engagement does not name is refused and told", async () => {
    const alice = await world.signedIn("alice");
    const outcome = await run(alice.ssh("-l", "other", "web-1", "id"), { env: alice.env });
    assert.equal(outcome.status, 254);
    assert.match(
      outcome.stderr,
      /^sallyport: Engagement web does not allow account other here; it allows deploy\./,
    );
  });

  it("to an account that Sallyport does not guard is sshd's business alone", async () => {
    const alice = world.person("alice");
    for (const account of ["keeper", "root"]) {
      const outcome = await run(alice.ssh("-l", account, "web-1", "id"), { env: alice.env });
      assert.equal(outcome.status, 255);
      assert.match(outcome.stderr, /Permission denied/);
    }
  });

  it("asks nobody for a fingerprint, and takes no host without our certificate", async () => {
    const alice = world.person("alice");
    const known = readFileSync(`${alice.home}/known_hosts`, "utf8");
    assert.match(known, /^@cert-authority /);
    const wrong = await run(alice.ssh("-o", "HostKeyAlias=web-2", "web-1", "id"), { env: alice.env });
    assert.equal(wrong.status, 255);
    assert.match(
      wrong.stderr,
      /Certificate invalid: name is not a listed principal|Host key verification failed/,
    );
  });

  it("is refused to contractors with the agent stopped, and an ordinary key still opens an ordinary account", async () => {
    const alice = world.person("alice");
    await world.host.stopAgent();
    const contractor = await run(alice.ssh("web-1", "echo in"), { env: alice.env });
    assert.equal(contractor.status, 255);
    assert.match(contractor.stderr, /Permission denied/);
    const admin = await run([...sshWithIdentity(world, adminKey, "keeper"), "echo admin in; id -un"]);
    assert.equal(admin.stdout.toString(), "admin in\nkeeper\n", admin.stderr);
    await world.host.startAgent();
    const again = await run(alice.ssh("web-1", "echo in"), { env: alice.env });
    assert.equal(again.stdout.toString(), "in\n", again.stderr);
  });
});
