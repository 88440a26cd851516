import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../../demo/light-host/until.ts";
import { printed, run } from "../../fixtures/processes.ts";
import { castEvents, sessionWhere } from "../../fixtures/sessions.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("an engagement that lets files be moved", () => {
  let world: World;
  let alice: Person;
  let config: string;
  const content = randomBytes(2_000_003);
  /** A path of the host, from here. */
  const there = (path: string) => `/proc/${world.host.pid}/root${path}`;
  const local = (name: string) => join(alice.home, name);

  before(async () => {
    const directories = [
      { path: "/home/srv/data", access: "read-write" },
      { path: "/home/srv/out", access: "read" },
      { path: "/home/srv/in", access: "write", maxFileSize: 1_000_000 },
    ];
    world = await startWorld({
      engagements: [{ name: "web", members: ["alice"], mode: "files", files: { directories } }],
    });
    alice = await world.signedIn("alice");
    config = join(alice.home, "ssh_config");
    for (const name of ["data", "out", "in", "secret"])
      mkdirSync(there(`/home/srv/${name}`), { recursive: true });
    writeFileSync(there("/home/srv/out/report"), content);
    writeFileSync(there("/home/srv/secret/key"), "secret");
    await world.host.run([
      "chown",
      "-R",
      "deploy:",
      "/home/srv/data",
      "/home/srv/out",
      "/home/srv/in",
      "/home/srv/secret",
    ]);
    writeFileSync(local("here"), content);
  });
  after(() => world.close());

  const sftp = (...batch: string[]) =>
    run(["sftp", "-q", "-F", config, "-b", "-", "web-1"], {
      ...{ env: alice.env, cwd: alice.home },
      input: batch.map((line) => `${line}\n`).join(""),
    });
  const scp = (...argv: string[]) =>
    run(["scp", "-q", "-s", "-F", config, ...argv], { env: alice.env, cwd: alice.home });
  /** What the newest session's recording tells, and the host in the audit log. */
  const told = async () => {
    const { id } = await sessionWhere(alice, (one) => one.state === "ended");
    const events = await castEvents(alice, id);
    return events.filter(([, code]) => code === "m").map(([, , label]) => label);
  };

  it("puts, gets and does all else where it may, with the digest of every file", async () => {
    const outcome = await sftp(
      "put here /home/srv/data/there",
      "get /home/srv/data/there back",
      "mkdir /home/srv/data/new",
      "rename /home/srv/data/there /home/srv/data/new/there",
      "ls -l /home/srv/data/new",
      "rm /home/srv/data/new/there",
      "rmdir /home/srv/data/new",
    );
    assert.equal(outcome.status, 0, outcome.stderr);
    assert.match(outcome.stdout.toString(), /2000003 .*there/);
    assert.ok(readFileSync(local("back")).equals(content));
    const moved = (await told()).filter((label) => label.startsWith("file-moved: "));
    const sha256 = digest(content);
    assert.ok(
      moved.some((label) => label.includes(`sftp write, 2000003 bytes, sha256 ${sha256}`)),
      String(moved),
    );
    assert.ok(moved.some((label) => label.includes(`sftp read, 2000003 bytes, sha256 ${sha256}`)));
    for (const deed of ["make-directory", "rename", "remove", "remove-directory"])
      assert.ok(
        moved.some((label) => label.includes(`sftp ${deed}`)),
        deed,
      );
  });

  it("refuses what it may not, says why, and goes on", async () => {
    const outcome = await sftp(
      "-get /etc/passwd p",
      "-get /home/srv/data/../secret/key k",
      "-put here /home/srv/out/new",
      "-put here /home/srv/in/large",
      "-rm /home/srv/out/report",
      "-rename /home/srv/out/report /home/srv/data/report",
      "-ls /home/srv/secret",
      "-ls /",
      "get /home/srv/out/report goes-on",
    );
    assert.equal(outcome.status, 0, outcome.stderr);
    assert.equal(outcome.stderr.match(/Permission denied|not found|Failure/g)?.length, 8, outcome.stderr);
    assert.ok(readFileSync(local("goes-on")).equals(content));
    assert.ok(
      !existsSync(local("p")) && !existsSync(local("k")) && existsSync(there("/home/srv/out/report")),
    );
    const refused = (await told()).filter((label) => label.startsWith("file-refused: "));
    for (const path of [
      "/etc/passwd",
      "/home/srv/out/new",
      "/home/srv/in/large",
      "/home/srv/out/report",
      "/home/srv/secret",
    ])
      assert.ok(
        refused.some((label) => label.includes(path)),
        `${path}: ${refused}`,
      );
  });

  it("works with scp, both ways", async () => {
    assert.equal((await scp("here", "web-1:/home/srv/data/copied")).status, 0);
    assert.equal((await scp("web-1:/home/srv/data/copied", "copied-back")).status, 0);
    assert.ok(readFileSync(local("copied-back")).equals(content));
    const refused = await scp("web-1:/etc/passwd", "p");
    assert.notEqual(refused.status, 0);
  });

  it("runs nothing, whatever is asked for", async () => {
    for (const argv of [
      ["web-1", "id"],
      ["-T", "web-1"],
      ["web-1", "/usr/lib/openssh/sftp-server -e; id"],
    ]) {
      const outcome = await run(alice.ssh(...argv), { env: alice.env });
      assert.equal(outcome.status, 126, argv.join(" "));
      assert.doesNotMatch(outcome.stdout.toString(), /uid=/);
    }
  });

  it("does not follow links out, and makes none", async () => {
    symlinkSync("/home/srv/secret", there("/home/srv/data/way-out"));
    const outcome = await sftp(
      "-get /home/srv/data/way-out/key k",
      "-put here /home/srv/data/way-out/new",
      "-symlink /home/srv/secret /home/srv/data/another",
      "-ln /home/srv/secret/key /home/srv/data/key",
      "-ln /home/srv/out/report /home/srv/data/report",
    );
    assert.equal(outcome.status, 0, outcome.stderr);
    assert.ok(!existsSync(local("k")) && !existsSync(there("/home/srv/secret/new")));
    for (const name of ["another", "key", "report"])
      assert.ok(!existsSync(there(`/home/srv/data/${name}`)), name);
    rmSync(there("/home/srv/data/way-out"));
  });

  it("is held by the kernel where a link is swapped between our look and the host's", async () => {
    mkdirSync(there("/home/srv/data/turns"));
    writeFileSync(there("/home/srv/data/turns/key"), "allowed");
    symlinkSync("/home/srv/secret", there("/home/srv/data/link"));
    // The two change places as fast as they can.
    let swaps = 0;
    const [turns, link, aside] = ["turns", "link", "aside"].map((name) =>
      there(`/home/srv/data/${name}`),
    ) as [string, string, string];
    const swapping = setInterval(() => {
      for (let i = 0; i < 200; i++) {
        renameSync(turns, aside);
        renameSync(link, turns);
        renameSync(aside, link);
        swaps++;
      }
    }, 0);
    try {
      const gets = Array.from({ length: 150 }, (_, i) => `-get /home/srv/data/turns/key got-${i}`);
      const outcome = await sftp(...gets);
      assert.equal(outcome.status, 0);
    } finally {
      clearInterval(swapping);
    }
    assert.ok(swaps > 100);
    const got = Array.from({ length: 150 }, (_, i) => local(`got-${i}`)).filter((path) => existsSync(path));
    for (const path of got) assert.notEqual(readFileSync(path, "utf8"), "secret");
  });

  it("is a file system with sshfs", async () => {
    const mount = local("mount");
    mkdirSync(mount);
    const argv = ["sshfs", "-F", config, "web-1:/home/srv/data", mount, "-f"];
    const sshfs = run(argv, { env: alice.env, cwd: alice.home });
    try {
      assert.ok(await until(() => readFileSync("/proc/mounts", "utf8").includes(mount), 10_000));
      writeFileSync(join(mount, "by-sshfs"), content);
      assert.ok(readFileSync(join(mount, "by-sshfs")).equals(content));
      renameSync(join(mount, "by-sshfs"), join(mount, "renamed"));
      rmSync(join(mount, "renamed"));
    } finally {
      await run(["umount", mount]);
      await sshfs;
    }
    const labels = await told();
    assert.ok(
      labels.some((label) => label.includes(`sftp write, 2000003 bytes, sha256 ${digest(content)}`)),
      String(labels),
    );
  });

  it("says in the protocol's own error what is granted, and whom to ask; and ends at once when it is revoked", async () => {
    const [program = "", ...args] = alice.ssh("-s", "web-1", "sftp");
    const client = spawn(program, args, { env: alice.env, stdio: ["pipe", "pipe", "inherit"] });
    // SSH_FXP_INIT, and SSH_FXP_STAT of /etc/passwd.
    client.stdin.write(Buffer.from("00000005010000000300000014110000000100000" + "00b", "hex"));
    client.stdin.write("/etc/passwd");
    await printed(
      client,
      /Sallyport: looking is not allowed here\. Engagement web .* \/home\/srv\/data \(read-write\).*dana@/s,
    );
    const over = once(client, "close");
    const { id } = await sessionWhere(alice, (one) => one.state === "live");
    const revoked = await (await world.signedIn("sam")).sallyport(["revoke", id, "--reason", "enough"]);
    assert.equal(revoked.status, 0, revoked.stderr);
    await over;
    await sessionWhere(alice, (one) => one.id === id && one.endReason === "revoked");
  });
});
