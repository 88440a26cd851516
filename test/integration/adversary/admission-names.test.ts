import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { agentLog, logged } from "../../fixtures/agent-log.ts";
import { forgeLogin, sshWithIdentity } from "../../fixtures/forged-login.ts";
import { type Outcome, run } from "../../fixtures/processes.ts";
import { PEOPLE, startWorld, type World } from "../../fixtures/world.ts";

/** Names that would do something in a shell, an argument list, an sshd file, a log or a terminal. */
const HOSTILE: [what: string, name: string][] = [
  ["a command substitution", "$(touch pwned)"],
  ["backticks", "`touch pwned`"],
  ["a second command", "x;touch pwned"],
  ["a pipe", "x|touch pwned"],
  ["a leading dash", "-lroot"],
  ["our own argument", "--user=root"],
  ["a second argument", "deploy --user=root"],
  ["a quote and options", 'deploy",command="sh'],
  ["tokens of sshd's", "%u%h%k%%"],
  ["a path", "../../etc/passwd"],
  ["an escape sequence", "\x1b]0;owned\x07\x1b[2J"],
  ["a carriage return", "deploy\rroot"],
  ["a C1 control character", "x\u009b31m"],
  ["a bidirectional override", "x\u202etoor"],
];

describe("a user name with", () => {
  let world: World;
  let identity: string;

  before(async () => {
    world = await startWorld({ engagements: [{ name: "web", members: ["alice"] }] });
    await world.signedIn("alice");
    const login = forgeLogin(world, PEOPLE.find((one) => one.name === "alice")?.sub ?? "");
    identity = login.identity;
    assert.equal((await run(login.ssh("echo in"))).stdout.toString(), "in\n");
  });
  after(() => world.close());

  /** ssh refuses some of these on its command line (CVE-2023-51385), and none in its configuration. */
  const as = async (name: string): Promise<Outcome> => {
    const file = join(world.directory, "ssh-config");
    writeFileSync(file, `User "${name.replaceAll('"', '\\"')}"\n`);
    const argv = sshWithIdentity(world, identity);
    const destination = argv.at(-1)?.split("@").at(-1) ?? "";
    return run(["ssh", "-F", file, ...argv.slice(3, -1), destination, "echo in"]);
  };
  const nothingRan = async () => {
    const made = await world.host.run(["sh", "-c", "ls -d /pwned /root/pwned /tmp/pwned /home/*/pwned"]);
    assert.equal(made.stdout, "");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point
    assert.doesNotMatch(readFileSync(world.host.agentLog(), "utf8"), /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  };

  for (const [what, name] of HOSTILE) {
    it(`${what} that is no account's is refused by sshd, and nobody is asked`, async () => {
      const since = agentLog(world).length;
      const outcome = await as(name);
      assert.equal(outcome.status, 255);
      assert.match(outcome.stderr, /Permission denied \(publickey/);
      await nothingRan();
      assert.deepEqual(
        agentLog(world)
          .slice(since)
          .filter(({ message }) => message === "login"),
        [],
      );
    });
  }

  it("shell syntax or a leading dash does not leave the contractor's own ssh by -l", async () => {
    for (const [, name] of HOSTILE.slice(0, 6)) {
      const argv = sshWithIdentity(world, identity);
      const destination = argv.at(-1)?.split("@").at(-1) ?? "";
      const { status, stderr } = await run([...argv.slice(0, -1), "-l", name, destination, "echo in"]);
      assert.equal(status, 255);
      assert.match(stderr, /remote username contains invalid characters|Permission denied/);
    }
    await nothingRan();
  });

  // passwd(5) takes anything but a colon and a line end: as if an administrator's tool had made such accounts. Debian's sshd
  // takes what follows a slash for an SELinux role, and passwd(5) what begins with a dash for an order of NIS.
  for (const [what, name] of HOSTILE.filter(([, one]) => !/^-|\//.test(one))) {
    it(`${what} that is an account's is one word to us: refused as not granted, and shown as text`, async () => {
      const group = (await world.host.run(["getent", "group", "sallyport"])).stdout.split(":")[2];
      const line = `${name}:*:4242:${group}::/:/usr/local/lib/sallyport/shim`;
      const before = await world.host.readFile("/etc/passwd");
      await world.host.run(["sh", "-c", "cat > /etc/passwd"], { input: `${before}${line}\n` });
      try {
        const since = agentLog(world).length;
        const outcome = await as(name);
        assert.equal(outcome.stdout.toString(), "");
        assert.equal(outcome.status, 254, outcome.stderr);
        const asked = await logged(world, ({ message }) => message === "login", since);
        assert.deepEqual([asked.account, asked.code], [name, "account-not-granted"]);
        assert.match(
          outcome.stderr,
          /^sallyport: Engagement web does not allow account \S.* here; it allows deploy\./,
        );
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point
        assert.doesNotMatch(outcome.stderr.replaceAll("\r\n", "\n"), /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
        await nothingRan();
      } finally {
        await world.host.run(["sh", "-c", "cat > /etc/passwd"], { input: before });
      }
    });
  }
});
