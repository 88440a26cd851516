import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { processesOf } from "../../../demo/light-host/processes.ts";
import { until } from "../../../demo/light-host/until.ts";
import { type LightHost, type LightHostOptions, startLightHost } from "../../../demo/light-host.ts";

describe("a light host", () => {
  let directory: string;
  let publicKey: string;
  const hosts: LightHost[] = [];

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "light-host-"));
    await command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", join(directory, "key"));
    publicKey = readFileSync(join(directory, "key.pub"), "utf8").trim();
  });
  afterEach(async () => {
    await Promise.all(hosts.splice(0).map((host) => host.close()));
  });
  after(() => rmSync(directory, { recursive: true }));

  async function start(name: string, more: Partial<LightHostOptions> = {}): Promise<LightHost> {
    const host = await startLightHost({
      name,
      address: "127.0.0.1",
      sshPort: await freePort(),
      directory: join(directory, name),
      accounts: [{ name: "admin", authorizedKeys: [publicKey] }],
      ...more,
    });
    hosts.push(host);
    return host;
  }

  function ssh(host: LightHost, account: string, ...words: string[]) {
    const options = [
      "StrictHostKeyChecking=no",
      "UserKnownHostsFile=/dev/null",
      "IdentitiesOnly=yes",
      "BatchMode=yes",
    ];
    return command(
      "ssh",
      ...["-F", "none", "-q", "-i", join(directory, "key"), "-p", String(host.port)],
      ...options.flatMap((option) => ["-o", option]),
      `${account}@${host.address}`,
      ...words,
    );
  }

  it("lets an ordinary key into an ordinary account, on a host of its own name", async () => {
    const host = await start("web-1");
    const { stdout, status } = await ssh(
      host,
      "admin",
      "hostname; whoami; pwd; stat -c %a .; ps -e | grep -c sshd",
    );
    assert.equal(status, 0);
    assert.match(stdout, /^web-1\nadmin\n\/home\/admin\n700\n\d\n$/);
    const terminal = await ssh(host, "admin", "-tt", "tty");
    assert.match(terminal.stdout, /\/dev\/pts\/0/);
  });

  it("stands beside another, each with its own accounts, processes and terminals", async () => {
    const [one, two] = await Promise.all([
      start("one"),
      start("two", { accounts: [{ name: "deploy", uid: 61234, groups: ["ops"], shell: "/bin/sh" }] }),
    ]);
    assert.equal((await one.run(["id", "deploy"])).status, 1);
    assert.match((await two.run(["id"], { uid: "deploy" })).stdout, /^uid=61234\(deploy\).*\(ops\)/);
    assert.match((await two.run(["whoami"], { uid: 61234 })).stdout, /^deploy$/m);
    assert.equal((await ssh(two, "admin", "true")).status, 255);
    const keys = await Promise.all(
      [one, two].map((host) => host.readFile("/etc/ssh/ssh_host_ed25519_key.pub")),
    );
    assert.notEqual(keys[0], keys[1]);
  });

  it("leaves the machine's own files and accounts as they are", async () => {
    const before = fingerprint();
    const host = await start("web-1");
    const touch =
      "useradd -m intruder && touch /etc/x /var/x /usr/local/x /root/x /home/x /tmp/x /run/x /dev/shm/x";
    assert.equal((await host.run(["sh", "-c", touch])).status, 0);
    assert.equal(await host.readFile("/etc/hostname"), "web-1\n");
    assert.equal(fingerprint(), before);
    for (const path of ["/var/x", "/usr/local/x", "/root/x", "/home/x", "/tmp/x", "/run/x", "/dev/shm/x"])
      assert.ok(!existsSync(path), path);
    await host.close();
    assert.equal(fingerprint(), before);
  });

  it("passes input, output and status of commands through", async () => {
    const host = await start("web-1");
    const result = await host.run(["sh", "-c", "cat; echo no >&2; exit 7"], { input: "yes" });
    assert.deepEqual(result, { status: 7, stdout: "yes", stderr: "no\n" });
    // The working directory is the host's own, too.
    assert.equal((await host.run(["cat", "etc/hostname"])).stdout, "web-1\n");
  });

  it("leaves no process and no mount behind when it is closed", async () => {
    const mounts = readFileSync("/proc/self/mountinfo", "utf8");
    const host = await start("web-1");
    const namespace = readlinkSync(`/proc/${host.pid}/ns/mnt`);
    const sleeper = host.spawn(["sleep", "1000"], { stdio: "ignore" });
    await once(sleeper, "spawn");
    await host.close();
    assert.deepEqual(inMountNamespace(namespace), []);
    assert.equal(readFileSync("/proc/self/mountinfo", "utf8"), mounts);
    assert.deepEqual(readdirSync(join(directory, "web-1")).sort(), ["init.log", "sshd.log"]);
  });

  it("goes down with the process that started it, even by SIGKILL", async () => {
    const script = `
      import { startLightHost } from ${JSON.stringify(join(import.meta.dirname, "../../../demo/light-host.ts"))};
      const host = await startLightHost({ name: "orphan", address: "127.0.0.1", sshPort: ${await freePort()},
        directory: ${JSON.stringify(join(directory, "orphan"))}, accounts: [] });
      console.log(host.pid);`;
    const owner = spawn(process.execPath, ["--input-type=module", "--eval", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(createInterface({ input: owner.stdout }), "line")) as [string];
    const namespace = readlinkSync(`/proc/${line}/ns/mnt`);
    assert.ok(processesOf(Number(line)).length >= 2);
    owner.kill("SIGKILL");
    assert.ok(await until(() => inMountNamespace(namespace).length === 0, 5000), "something is left");
  });

  it("keeps sshd up", async () => {
    const host = await start("web-1");
    assert.equal((await host.run(["pkill", "-KILL", "-o", "sshd"])).status, 0);
    assert.ok(await until(async () => (await ssh(host, "admin", "true")).status === 0, 5000));
  });

  it("says so when sshd cannot have its port", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address() as { port: number };
    await assert.rejects(
      start("late", { sshPort: port }),
      /sshd could not start on 127\.0\.0\.1:\d+.*in use/s,
    );
    holder.close();
  });
});

/** Runs a program of this machine to its end. */
async function command(program: string, ...args: string[]): Promise<{ status: number; stdout: string }> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  let stdout = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  const [status] = (await once(child, "close")) as [number];
  return { status, stdout };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** What must not change on the machine: its accounts, its SSH set-up, and the names in the directories laid over. */
function fingerprint(): string {
  const hash = createHash("sha256");
  for (const file of [
    "/etc/passwd",
    "/etc/shadow",
    "/etc/group",
    "/etc/shells",
    "/etc/hostname",
    "/etc/hosts",
  ])
    hash.update(existsSync(file) ? readFileSync(file) : "");
  for (const path of [
    "/etc",
    "/etc/ssh",
    "/etc/ssh/sshd_config.d",
    "/home",
    "/usr/local/lib",
    "/var/lib",
    "/mnt",
  ])
    hash.update(JSON.stringify(existsSync(path) ? readdirSync(path).sort() : null));
  return hash.digest("hex");
}

function inMountNamespace(namespace: string): string[] {
  return readdirSync("/proc").filter((entry) => {
    try {
      return /^\d+$/.test(entry) && readlinkSync(`/proc/${entry}/ns/mnt`) === namespace;
    } catch {
      return false;
    }
  });
}
