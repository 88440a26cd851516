import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type IdentityProvider, startIdentityProvider } from "../../../demo/identity-provider.ts";
import { signInByForm } from "../../../demo/sign-in-by-form.ts";
import { ALICE } from "./fixtures/people.ts";
import { type Finished, MAIN, type Machine } from "./fixtures/sallyport.ts";
import { type SignedIn, signedIn } from "./fixtures/signed-in.ts";

/** A browser that signs Alice in: $BROWSER as a program of its own. */
function browserOf(machine: Machine): string {
  const path = join(machine.directory, "browser");
  const driver = join(import.meta.dirname, "../../../demo/sign-in-by-form.ts");
  const script = `import { signInByForm } from ${JSON.stringify(driver)};
await signInByForm(process.argv[2], ${JSON.stringify({ username: ALICE.name, password: ALICE.password })});\n`;
  writeFileSync(`${path}.ts`, script);
  writeFileSync(
    path,
    `#!/bin/sh\necho "$1" >> '${path}.opened'\nexec '${process.execPath}' '${path}.ts' "$1"\n`,
    { mode: 0o755 },
  );
  return path;
}

function opened(machine: Machine): number {
  const path = join(machine.directory, "browser.opened");
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n").length : 0;
}

describe("ssh with sallyport", () => {
  let idp: IdentityProvider;
  let all: SignedIn;
  let machine: Machine;

  before(async () => {
    idp = await startIdentityProvider({ port: 0, users: [ALICE] });
  });
  after(() => idp.close());
  beforeEach(async () => {
    all = await signedIn(idp);
    machine = all.machine;
  });
  afterEach(() => all.close());

  /** What ssh itself makes of the config for a destination. */
  async function parsed(...args: string[]): Promise<Map<string, string>> {
    const result = await machine.spawn("ssh", ["-G", ...args]).finished;
    assert.equal(result.status, 0, result.stderr);
    return new Map(
      result.stdout
        .trim()
        .split("\n")
        .map((line) => [line.split(" ", 1)[0] ?? "", line.slice(line.indexOf(" ") + 1)]),
    );
  }

  it("is configured so that OpenSSH reads what is meant", async () => {
    const config = join(machine.home, "ssh_config");
    const web1 = await parsed("-F", config, "web-1");
    const expected = {
      hostname: "127.0.0.1",
      port: "2201",
      user: "deploy",
      hostkeyalias: "web-1",
      stricthostkeychecking: "true",
      identitiesonly: "yes",
      identityagent: "SSH_AUTH_SOCK",
      identityfile: join(machine.home, "id_ed25519"),
      certificatefile: join(machine.home, "sallyport-cert.pub"),
      userknownhostsfile: join(machine.home, "known_hosts"),
      preferredauthentications: "publickey",
    };
    for (const [keyword, value] of Object.entries(expected)) assert.equal(web1.get(keyword), value, keyword);
    assert.equal(web1.has("proxycommand"), false);
    assert.equal((await parsed("-F", config, "app@web-2")).get("hostname"), "192.0.2.7");
    const other = await parsed("-F", config, "github.com");
    assert.equal(other.get("hostname"), "github.com");
    assert.notEqual(other.get("identitiesonly"), "yes");
  });

  it("has a state directory of any usual name", async () => {
    const strange = join(machine.directory, "a b%c", "stäte (1)");
    machine.env.SALLYPORT_HOME = strange;
    await all.signIn();
    const web1 = await parsed("-F", join(strange, "ssh_config"), "web-1");
    assert.equal(web1.get("hostname"), "127.0.0.1");
    assert.equal(web1.get("userknownhostsfile"), join(strange, "known_hosts"));
    assert.equal(web1.has("proxycommand"), false);
  });

  it("is included from ~/.ssh/config once, and printed on demand without being written", async () => {
    const printed = await machine.run("config", "ssh", "--print");
    assert.equal(printed.stdout, readFileSync(join(machine.home, "ssh_config"), "utf8"));
    assert.ok(!existsSync(join(machine.userHome, ".ssh")));
    const first = await machine.run("config", "ssh");
    assert.deepEqual([first.status, first.stdout], [0, ""]);
    assert.match(
      first.stderr,
      /Wrote .*ssh_config for web-1, web-2\.\nAdded one Include line at the top of .*\/\.ssh\/config\./,
    );
    assert.match((await machine.run("config", "ssh")).stderr, /includes it already/);
    const text = readFileSync(join(machine.userHome, ".ssh", "config"), "utf8");
    assert.equal(text, `Include "${join(machine.home, "ssh_config")}"\n`);
    assert.equal((await parsed("-F", join(machine.userHome, ".ssh", "config"), "web-1")).get("port"), "2201");
  });

  it("says who is the one to ask for a host that is not theirs", async () => {
    const unknown = await machine.run("ssh", "web-9");
    assert.deepEqual(
      [unknown.status, unknown.stderr],
      [1, "sallyport: web-9 is none of your hosts, which are: web-1, web-2.\n"],
    );
  });

  it("finds a host that was granted since, and keeps one whose engagement ended", async () => {
    const me = all.server.state.me;
    const [web1, web2] = me.hosts;
    assert.ok(web1 && web2);
    all.server.state.me = { ...me, hosts: [{ ...web2, name: "web-3" as typeof web2.name }] };
    assert.equal((await machine.run("ssh", "-G", "web-3")).status, 0);
    // web-1 is still named by an engagement, so its host may say what became of it.
    const result = await machine.run("ssh", "-G", "web-1");
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stdout, /^hostname 127\.0\.0\.1$/m);
  });

  it("passes arguments and exit status through", async () => {
    const bin = join(machine.directory, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "ssh"), `#!/bin/sh\nprintf '<%s>' "$@"\ncat\nexit 42\n`, { mode: 0o755 });
    machine.env.PATH = `${bin}:${process.env.PATH}`;
    const run = (...args: string[]): Promise<Finished> =>
      machine.spawn(process.execPath, [MAIN, "ssh", ...args], "input").finished;
    const config = `<-F><${join(machine.home, "ssh_config")}>`;
    const lines: [string[], string][] = [
      [["web-1", "ls", "-l", "--help", "a b", ""], "<web-1><ls><-l><--help><a b><>"],
      [["-v", "-p", "22", "deploy@web-1", "--", "x"], "<-v><-p><22><deploy@web-1><--><x>"],
      [["--", "-v", "web-1"], "<-v><web-1>"],
      [["-V"], "<-V>"],
    ];
    for (const [args, expected] of lines) {
      const result = await run(...args);
      assert.deepEqual([result.status, result.stdout], [42, `${config}${expected}input`], result.stderr);
    }
  });

  /** The script that ssh calls, with 9 in place of what it does when it does not know. */
  async function ensureScriptStatus(): Promise<number | null> {
    const script = readFileSync(join(machine.home, "ensure.sh"), "utf8").replace(
      /^SALLYPORT_HOME.*$/m,
      "exit 9",
    );
    return (await machine.spawn("sh", ["-c", script, "ensure.sh", "web-1"]).finished).status;
  }

  it("answers without Node while there is a valid certificate and its key, and only then", async () => {
    assert.equal(await ensureScriptStatus(), 0);
    const validUntil = join(machine.home, "valid-until");
    const kept = readFileSync(validUntil, "utf8");
    for (const text of ["1000000000\n", "", "x\n", "$(touch /tmp/x)\n"]) {
      writeFileSync(validUntil, text);
      assert.equal(await ensureScriptStatus(), 9, text);
    }
    writeFileSync(validUntil, kept);
    rmSync(realpathSync(join(machine.home, "id_ed25519")));
    assert.equal(await ensureScriptStatus(), 9);
    await machine.run("logout");
    assert.equal(await ensureScriptStatus(), 9);
  });

  it("signs in on demand, once for several at a time", async () => {
    machine.env.BROWSER = browserOf(machine);
    await machine.run("logout");
    const all = await Promise.all([1, 2, 3].map(() => machine.run("ensure", "--host", "web-1")));
    assert.deepEqual(
      all.map(({ status, stdout }) => [status, stdout]),
      [
        [0, ""],
        [0, ""],
        [0, ""],
      ],
      JSON.stringify(all),
    );
    assert.equal(opened(machine), 1);
    const config = join(machine.home, "ssh_config");
    await machine.run("logout");
    assert.equal((await parsed("-F", config, "web-1")).get("hostname"), "127.0.0.1");
    assert.equal(opened(machine), 2);
    await parsed("-F", config, "web-1");
    assert.equal(opened(machine), 2);
  });

  it("stops ssh with one sentence when nobody can sign in", async () => {
    await machine.run("logout");
    await all.server.close();
    const config = join(machine.home, "ssh_config");
    const result = await machine.spawn("ssh", ["-F", config, "web-1", "true"]).finished;
    assert.equal(result.status, 255);
    assert.match(
      result.stderr,
      /^sallyport: The control plane \S+ cannot be reached \(ECONNREFUSED\); [^\n]*\n$/,
    );
    const ours = await machine.run("ssh", "web-1", "true");
    assert.equal(ours.status, 4);
    assert.match(
      (await machine.run("why")).stdout,
      /the sign-in on this machine failed \(server-unreachable\)/,
    );
  });

  it("says where to begin when it has never been used", async () => {
    machine.env.SALLYPORT_HOME = join(machine.directory, "fresh");
    const result = await machine.run("ssh", "web-1");
    assert.deepEqual(
      [result.status, result.stderr],
      [3, "sallyport: You are not signed in; run: sallyport login --server URL\n"],
    );
    assert.ok(!existsSync(machine.env.SALLYPORT_HOME));
  });

  describe("and an ssh-agent", () => {
    let agent: ChildProcess;

    beforeEach(async () => {
      const socket = join(machine.directory, "agent.sock");
      agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: ["ignore", "pipe", "inherit"] });
      await new Promise((resolve) => agent.stdout?.once("data", resolve));
      machine.env.SSH_AUTH_SOCK = socket;
      await all.signIn();
    });
    afterEach(async () => {
      const gone = new Promise((resolve) => agent.once("exit", resolve));
      agent.kill();
      await gone;
    });

    it("keeps the private key there, with its certificate, and nowhere on the disk", async () => {
      const list = await machine.spawn("ssh-add", ["-l"]).finished;
      assert.match(
        list.stdout,
        /^256 SHA256:\S+ sallyport 127\.0\.0\.1:\d+ \(ED25519\)\n256 SHA256:\S+ sallyport \S+ \(ED25519-CERT\)\n$/,
      );
      assert.ok(!existsSync(join(machine.home, "id_ed25519")));
      assert.ok(!existsSync(join(machine.runtime, "sallyport")) || (await listed(machine)) === "");
      assert.match((await machine.run("status")).stdout, /The key is in your ssh-agent\.\n$/);
      assert.equal((await machine.run("ensure", "--host", "web-1")).status, 0);
      assert.equal(await ensureScriptStatus(), 0);
    });

    it("signs in again when the agent has lost it", async () => {
      await machine.spawn("ssh-add", ["-D"]).finished;
      assert.equal(await ensureScriptStatus(), 9);
      machine.env.BROWSER = browserOf(machine);
      const result = await machine.run("ensure", "--host", "web-1");
      assert.equal(result.status, 0, result.stderr);
      assert.equal(opened(machine), 1);
    });

    it("takes it out on logout", async () => {
      await machine.run("logout");
      const list = await machine.spawn("ssh-add", ["-l"]).finished;
      assert.equal(list.stdout, "The agent has no identities.\n");
    });

    it("gives it a lifetime, after which the agent forgets it", async () => {
      all.server.state.certificateLifetime = 1;
      await all.signIn();
      const empty = async (): Promise<boolean> =>
        (await machine.spawn("ssh-add", ["-l"]).finished).stdout.startsWith("The agent has no");
      while (!(await empty()));
    });

    it("does without an agent that takes no keys", async () => {
      await machine.spawn("sh", ["-c", "SSH_ASKPASS= ssh-add -D"]).finished;
      machine.env.SSH_AUTH_SOCK = join(machine.directory, "nothing.sock");
      await all.signIn();
      assert.ok(existsSync(join(machine.home, "id_ed25519")));
      assert.match((await machine.run("status")).stdout, /The key is in a file that only you can read\.\n$/);
    });
  });

  it("takes what a person types in the browser, too", async () => {
    await machine.run("logout");
    const running = machine.start("ensure", "--host", "web-1");
    const address = await new Promise<string>((resolve) => {
      running.child.stderr.on("data", (piece: Buffer) => {
        const found = /open (http\S+)\n/.exec(String(piece))?.[1];
        if (found !== undefined) resolve(found);
      });
    });
    await signInByForm(address, { username: ALICE.name, password: ALICE.password });
    assert.equal((await running.finished).status, 0);
  });
});

async function listed(machine: Machine): Promise<string> {
  return (await machine.spawn("find", [machine.runtime, "-name", "id_ed25519"]).finished).stdout;
}
