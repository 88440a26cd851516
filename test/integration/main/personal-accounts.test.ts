import assert from "node:assert/strict";
import { join } from "node:path";
import { until } from "../../../demo/light-host/until.ts";
import { agentLog, type LogLine, logged } from "../../fixtures/agent-log.ts";
import { run } from "../../fixtures/processes.ts";
import { castEvents, sessionWhere } from "../../fixtures/sessions.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

const LISTED = {
  sudo: "listed",
  commands: [
    { program: "/usr/bin/id", arguments: ["-u"] },
    { program: "/usr/bin/whoami", arguments: [] },
  ],
};

/** What is in force for an account of the host, straight from its files. */
async function accountOf(world: World, name: string): Promise<{ passwd: string; shadow: string } | null> {
  const passwd = await world.host.run(["getent", "passwd", name]);
  if (passwd.status !== 0) return null;
  const shadow = await world.host.run(["getent", "shadow", name]);
  return { passwd: passwd.stdout.trim(), shadow: shadow.stdout.trim() };
}

describe("accounts of the members' own", () => {
  let world: World;
  let alice: Person;
  let carol: Person;
  let sam: Person;
  let aliceUid: string;

  before(async () => {
    const personal = { groups: ["adm", "nosuchgroup"], home: "archive" };
    world = await startWorld({
      engagements: [
        { name: "web", members: ["alice"], accounts: [], personal, privilege: LISTED },
        { name: "both", members: ["carol"], personal: { home: "delete" }, privilege: { sudo: "full" } },
        { name: "clash", members: ["dave"], accounts: [], personal: {} },
        { name: "shared", members: ["alice", "carol"], accounts: ["deploy"] },
      ],
      // An account that the host's own people have, under the very name that dave's would get.
      accounts: [{ name: "deploy" }, { name: "dave-vendor", shell: "/bin/bash" }],
    });
    alice = await world.signedIn("alice");
    carol = await world.signedIn("carol");
    sam = await world.signedIn("sam");
    await logged(world, isEvent("account-created", "alice-vendor"));
    await logged(world, isEvent("account-created", "carol-vendor"));
  });
  after(() => world.close());

  const isEvent =
    (message: string, account: string) =>
    (line: LogLine): boolean =>
      line.message === message && line.account === account;
  const ssh = (person: Person, ...argv: string[]) => run(person.ssh(...argv), { env: person.env });
  const asRoot = async (...argv: string[]) => (await world.host.run(argv)).stdout.trim();

  it("are there after the policy was applied, closed to everything but sshd with a certificate", async () => {
    const account = await accountOf(world, "alice-vendor");
    const [, , uid = "", gid, , home, shell] = account?.passwd.split(":") ?? [];
    aliceUid = uid;
    assert.ok(Number(uid) >= 70_000 && Number(uid) <= 99_999, uid);
    assert.deepEqual([gid, home, shell], [uid, "/home/alice-vendor", "/usr/local/lib/sallyport/shim"]);
    assert.equal(
      await asRoot("stat", "-c", "%a %U %G", "/home/alice-vendor"),
      "700 alice-vendor alice-vendor",
    );
    assert.equal(await asRoot("id", "-nG", "alice-vendor"), "alice-vendor adm sallyport");
    const [, password, , , , , , expiry] = account?.shadow.split(":") ?? [];
    assert.equal(password, "*");
    const end = Math.floor((Date.now() + 8 * 3_600_000) / 86_400_000);
    assert.equal(Number(expiry), end + 1, "chage: the day after the engagement's end");
    assert.doesNotMatch(await asRoot("cat", "/etc/subuid"), /alice-vendor/);
  });

  it("lack a group that the host does not have, which is reported", async () => {
    const line = await logged(world, (one) => one.code === "group-missing");
    assert.match(String(line.detail), /nosuchgroup/);
  });

  it("are what plain ssh logs in to, and recorded", async () => {
    const outcome = await ssh(alice, "web-1", "id -un; pwd");
    assert.equal(outcome.stdout.toString(), "alice-vendor\n/home/alice-vendor\n", outcome.stderr);
    const session = await sessionWhere(
      alice,
      (one) => one.account === "alice-vendor" && one.state === "ended",
    );
    assert.match((await castEvents(alice, session.id)).map(([, , data]) => data).join(""), /alice-vendor/);
  });

  it("are nobody else's", async () => {
    const outcome = await ssh(carol, "-l", "alice-vendor", "web-1", "id");
    assert.notEqual(outcome.status, 0);
    assert.match(outcome.stderr, /does not allow account alice-vendor here/);
  });

  it("leave shared accounts attributed to the person", async () => {
    const outcome = await ssh(carol, "-l", "deploy", "web-1", "id -un");
    assert.equal(outcome.stdout.toString(), "deploy\n");
    const session = await sessionWhere(sam, (one) => one.account === "deploy" && one.state === "ended");
    assert.deepEqual((session as unknown as { member: { name: string } }).member.name, "carol");
  });

  it("are not made where the host has an account of that name, and that one stays closed", async () => {
    const before = await accountOf(world, "dave-vendor");
    const dave = await world.signedIn("dave");
    const line = await logged(world, (one) => one.code === "account-failed" && one.account === "dave-vendor");
    assert.match(String(line.detail), /that Sallyport did not make/);
    assert.notEqual((await ssh(dave, "web-1", "id")).status, 0);
    // Even where the administrator put it in the guarded group with the shim, it is not dave's.
    await world.host.run([
      "usermod",
      "-aG",
      "sallyport",
      "-s",
      "/usr/local/lib/sallyport/shim",
      "dave-vendor",
    ]);
    const outcome = await ssh(dave, "web-1", "id");
    assert.notEqual(outcome.status, 0);
    assert.match(outcome.stderr, /Account dave-vendor cannot be used safely on this host/);
    assert.equal(before?.shadow, (await accountOf(world, "dave-vendor"))?.shadow);
  });

  it("run the listed sudo commands and no others", async () => {
    assert.equal((await ssh(alice, "web-1", "sudo -n /usr/bin/id -u")).stdout.toString(), "0\n");
    assert.equal((await ssh(alice, "web-1", "sudo -n whoami")).stdout.toString(), "root\n");
    for (const near of ["id", "id -un", "id -u root", "whoami --help", "bash", "-u deploy id -u", "-s"]) {
      const outcome = await ssh(alice, "web-1", `sudo -n ${near}`);
      assert.notEqual(outcome.status, 0, near);
      assert.equal(outcome.stdout.toString(), "", near);
    }
    assert.equal((await ssh(carol, "web-1", "sudo -n id -un")).stdout.toString(), "root\n");
    assert.equal(await asRoot("stat", "-c", "%a %u", "/etc/sudoers.d/sallyport-alice-vendor"), "440 0");
  });

  it("end with the engagement: session, processes, jobs, sudo rules; the home is archived", async () => {
    const jobs = "echo '* * * * * touch /tmp/cron' | crontab - ; echo 'touch /tmp/at' | at now + 1 hour";
    const left = "nohup sleep 4001 >/dev/null 2>&1 & setsid sleep 4002 >/dev/null 2>&1 &";
    const files = "echo mine > ~/mine; ln -s /etc/shadow ~/link; touch /tmp/alice-was-here; id > /tmp/x";
    assert.equal((await ssh(alice, "web-1", files)).status, 0);
    const terminal = new TerminalClient(alice.ssh("web-1"), { env: alice.env });
    await terminal.shows(/\$ $/);
    terminal.type(`${jobs}; ${left} echo 'rea'dy\r`);
    await terminal.shows(/\nready\r\n/);
    assert.equal((await asRoot("pgrep", "-u", "alice-vendor", "-c", "sleep")) !== "0", true);

    const ended = await sam.sallyport(["engagement", "end", "web", "--reason", "done"]);
    assert.equal(ended.status, 0, ended.stderr);
    await terminal.exited;
    assert.match(terminal.text, /Engagement web ended .*done/);
    const line = await logged(world, isEvent("account-locked", "alice-vendor"));
    assert.match(String(line.detail), /2 files of uid \d+ are left/);

    assert.equal((await world.host.run(["pgrep", "-u", aliceUid])).stdout, "");
    assert.equal((await world.host.run(["test", "-e", "/etc/sudoers.d/sallyport-alice-vendor"])).status, 1);
    assert.equal(
      (await world.host.run(["sudo", "-l", "-U", "alice-vendor"])).stdout.includes("/usr/bin/id"),
      false,
    );
    assert.equal((await world.host.run(["crontab", "-l", "-u", "alice-vendor"])).status, 1);
    assert.equal(await asRoot("find", "/var/spool/cron", "-user", aliceUid), "");
    const [, password, , , , , , expiry] = (await accountOf(world, "alice-vendor"))?.shadow.split(":") ?? [];
    assert.deepEqual([password, expiry], ["!", "1"]);
    assert.equal((await world.host.run(["test", "-e", "/home/alice-vendor"])).status, 1);
    const path = /the home is in (\S+\.tar\.gz)/.exec(String(line.detail))?.[1] ?? "";
    assert.equal(await asRoot("stat", "-c", "%a %u", path), "600 0");
    const listing = await asRoot("tar", "-tvzf", path);
    assert.match(listing, /alice-vendor\/mine/);
    assert.match(listing, /alice-vendor\/link -> \/etc\/shadow/, "a link, not what it points to");
  });

  it("stay shut afterwards", async () => {
    assert.notEqual((await ssh(alice, "-l", "alice-vendor", "web-1", "id")).status, 0);
    const shared = await ssh(alice, "-l", "deploy", "web-1", "id -un");
    assert.equal(shared.stdout.toString(), "deploy\n", "what another engagement gives goes on");
  });

  it("come back with the same uid in a new engagement, and nobody else ever gets it", async () => {
    const since = agentLog(world).length;
    await world.applyPolicy([
      { name: "again", members: ["alice", "bob"], accounts: [], personal: { home: "keep" } },
    ]);
    await logged(world, isEvent("account-created", "alice-vendor"), since);
    await logged(world, isEvent("account-created", "bob-vendor"), since);
    assert.equal(await asRoot("id", "-u", "alice-vendor"), aliceUid);
    assert.notEqual(await asRoot("id", "-u", "bob-vendor"), aliceUid);
    const outcome = await ssh(alice, "web-1", "id -un; ls -A; sudo -n id -u");
    assert.equal(
      outcome.stdout.toString(),
      "alice-vendor\n",
      "an empty home, and none of the old sudo rules",
    );
  });

  it("end when their member is revoked, and lose what is theirs", async () => {
    const since = agentLog(world).length;
    const uid = await asRoot("id", "-u", "carol-vendor");
    await ssh(carol, "web-1", "touch ~/secret; setsid sleep 4003 >/dev/null 2>&1 &");
    assert.equal((await sam.sallyport(["revoke", "carol@vendor.test", "--reason", "gone"])).status, 0);
    await logged(world, isEvent("account-locked", "carol-vendor"), since);
    assert.equal((await world.host.run(["test", "-e", "/home/carol-vendor"])).status, 1);
    assert.equal((await world.host.run(["pgrep", "-u", uid])).stdout, "");
    assert.equal((await world.host.run(["test", "-e", "/etc/sudoers.d/sallyport-carol-vendor"])).status, 1);
  });

  it("survive an agent that is killed in between, and rules that were left behind do not", async () => {
    await world.host.stopAgent();
    await world.host.run([
      "sh",
      "-c",
      "echo '#12345 ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/sallyport-ghost",
    ]);
    await world.host.run(["usermod", "--shell", "/bin/bash", "bob-vendor"]);
    await world.host.startAgent();
    const mended = await until(
      async () =>
        (await world.host.run(["test", "-e", "/etc/sudoers.d/sallyport-ghost"])).status === 1 &&
        (await asRoot("getent", "passwd", "bob-vendor")).endsWith("/shim"),
      10_000,
    );
    assert.ok(mended);
    assert.equal(await asRoot("id", "-u", "alice-vendor"), aliceUid);
  });

  it("begin and end by the clock, without a word from the control plane", async () => {
    const since = agentLog(world).length;
    // The policy has whole seconds.
    const soon = Math.ceil(Date.now() / 1000) * 1000;
    const [start, end] = [new Date(soon + 4_000), new Date(soon + 7_000)];
    const versions = agentLog(world).flatMap((line) =>
      line.message === "policy" ? Number(line.version) : [],
    );
    const newest = Math.max(...versions);
    await world.applyPolicy([{ name: "clash", members: ["dave"], accounts: [], personal: {}, start, end }]);
    await logged(world, (line) => line.message === "policy" && Number(line.version) > newest);
    await world.stopControlPlane();
    await world.host.run(["userdel", "--force", "--remove", "dave-vendor"]);
    await logged(world, isEvent("account-created", "dave-vendor"), since);
    assert.ok(Date.now() >= start.getTime());
    await logged(world, isEvent("account-locked", "dave-vendor"), since);
    const late = Date.now() - end.getTime();
    assert.ok(late >= 0 && late < 3_000, `${late} ms`);
    await world.startControlPlane();
  });

  it("go with `leave`, sudo rules and all, and their uids stay known", async () => {
    await world.applyPolicy([
      { name: "last", members: ["alice"], accounts: [], personal: {}, privilege: { sudo: "full" } },
    ]);
    const rules = "/etc/sudoers.d/sallyport-alice-vendor";
    assert.ok(await until(async () => (await world.host.run(["test", "-e", rules])).status === 0, 10_000));
    const agent = join(import.meta.dirname, "../../../agent/src/main.ts");
    const left = await world.host.run([process.execPath, agent, "leave", "--force"]);
    assert.equal(left.status, 0, left.stderr);
    assert.match(left.stdout + left.stderr, /Removed account alice-vendor/);
    assert.equal((await world.host.run(["test", "-e", rules])).status, 1);
    for (const name of ["alice", "bob", "carol"])
      assert.equal(await accountOf(world, `${name}-vendor`), null);
    assert.notEqual(await accountOf(world, "deploy"), null);
    assert.match(
      await asRoot("cat", "/var/lib/sallyport/personal-accounts.json"),
      new RegExp(`"uid":${aliceUid}`),
    );
  });
});
