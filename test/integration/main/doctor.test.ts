import assert from "node:assert/strict";
import { join } from "node:path";
import { until } from "../../../demo/light-host/until.ts";
import { startWorld, type World } from "../../fixtures/world.ts";

const MAIN = join(import.meta.dirname, "../../../agent/src/main.ts");
const CONFIG = "/etc/sallyport/agent.yaml";
const SHIM = "/usr/local/lib/sallyport/shim";
const SSHD_CONFIG = "/etc/ssh/sshd_config";
const DROP_INS = "/etc/ssh/sshd_config.d";

interface Finding {
  check: string;
  level: "ok" | "warning" | "error";
  what: string;
  why: string;
  fix: string;
}

/** Something that goes wrong on a host, done by a shell command inside, and what doctor must say of it. */
interface Fault {
  name: string;
  make: string;
  check: string;
  level: "warning" | "error";
  what: RegExp;
  /** Undoes it. Without it doctor's own `fix` must: as far as its first semicolon, and without a reload of sshd. */
  undo?: string;
}

const FAULTS: Fault[] = [
  {
    name: "sshd_config without the Include line",
    make: `sed -i '/^Include/d' ${SSHD_CONFIG}`,
    check: "sshd-files",
    level: "error",
    what: /does not include .*10-sallyport\.conf/,
  },
  {
    name: "the Include line behind a Match block",
    make: `sed -i '/^Include/d' ${SSHD_CONFIG} && printf 'Match User nobody\\nInclude ${DROP_INS}/*.conf\\n' >> ${SSHD_CONFIG}`,
    check: "sshd-files",
    level: "error",
    what: /stands in a Match block \(\/etc\/ssh\/sshd_config:\d+\)/,
    undo: `cp /usr/share/openssh/sshd_config ${SSHD_CONFIG}`,
  },
  {
    name: "a file that sorts first and sets a keyword of ours",
    make: `echo 'AuthorizedKeysFile .ssh/authorized_keys' > ${DROP_INS}/00-first.conf`,
    check: "sshd-files",
    level: "error",
    what: /00-first\.conf:1 sets authorizedkeysfile/,
    undo: `rm ${DROP_INS}/00-first.conf`,
  },
  {
    name: "a keyword of ours that does not hold",
    make: `printf 'Match User deploy\\nForceCommand /bin/sh\\n' > ${DROP_INS}/00-first.conf`,
    check: "sshd",
    level: "error",
    what: /^ForceCommand is "\/bin\/sh" for deploy, and should be ".*shim session"/,
    undo: `rm ${DROP_INS}/00-first.conf`,
  },
  {
    name: "Sallyport's forced command for everybody",
    make: `echo 'ForceCommand ${SHIM} session' > ${DROP_INS}/99-all.conf`,
    check: "sshd",
    level: "error",
    what: /^Sallyport's forcecommand applies to root too/,
    undo: `rm ${DROP_INS}/99-all.conf`,
  },
  {
    name: "variables that a contractor may send",
    make: `printf 'Match User deploy\\nAcceptEnv LD_*\\n' > ${DROP_INS}/99-env.conf`,
    check: "sshd",
    level: "error",
    what: /^AcceptEnv LD_\* lets deploy set variables such as LD_PRELOAD/,
    undo: `rm ${DROP_INS}/99-env.conf`,
  },
  {
    name: "an environment file that sshd reads",
    make: `echo 'PermitUserEnvironment yes' > ${DROP_INS}/99-env.conf`,
    check: "sshd",
    level: "error",
    what: /^PermitUserEnvironment is "yes"/,
    undo: `rm ${DROP_INS}/99-env.conf`,
  },
  {
    name: "sftp inside of sshd",
    make: `sed -i 's,^Subsystem.*,Subsystem sftp internal-sftp,' ${SSHD_CONFIG}`,
    check: "sshd",
    level: "warning",
    what: /^sftp is sshd's internal one/,
    undo: `cp /usr/share/openssh/sshd_config ${SSHD_CONFIG}`,
  },
  {
    name: "a configuration that sshd refuses",
    make: `echo 'NoSuchKeyword yes' > ${DROP_INS}/99-wrong.conf`,
    check: "sshd",
    level: "error",
    what: /^sshd refuses its configuration: .*99-wrong\.conf/,
    undo: `rm ${DROP_INS}/99-wrong.conf`,
  },
  {
    name: "a drop-in of a version that did not tell sshd what is revoked",
    make: `sed -i '/RevokedKeys/d' ${DROP_INS}/10-sallyport.conf`,
    check: "sshd",
    level: "warning",
    what: /^sshd does not look up revoked keys and certificates itself/,
  },
  {
    name: "root among the contractors",
    make: "gpasswd --add root sallyport",
    check: "sshd",
    level: "error",
    what: /^root is in group sallyport/,
  },
  {
    name: "an account with a shell of its own",
    make: "usermod --shell /bin/bash deploy",
    check: "accounts",
    level: "error",
    what: /^deploy: login shell \/bin\/bash runs files that the user can write/,
  },
  {
    name: "root by another name",
    make: "useradd --non-unique --uid 0 --no-create-home --home-dir /root --groups sallyport toor",
    check: "accounts",
    level: "error",
    what: /^toor is root by another name/,
    undo: "userdel --force toor",
  },
  {
    name: "a file that sshd would run",
    make: "mkdir -p /home/deploy/.ssh && echo 'id > /tmp/ran' > /home/deploy/.ssh/rc",
    check: "accounts",
    level: "warning",
    what: /^deploy: there is \/home\/deploy\/\.ssh\/rc/,
  },
  {
    name: "an account that has expired",
    make: "chage --expiredate 2020-02-03 deploy",
    check: "accounts",
    level: "warning",
    what: /^deploy expired on 2020-02-03/,
    undo: "chage --expiredate -1 deploy",
  },
  {
    name: "a home of somebody else's",
    make: "chown nobody /home/deploy",
    check: "accounts",
    level: "error",
    what: /^deploy: the home \/home\/deploy belongs to uid 65534/,
  },
  {
    name: "a shim that its users can read",
    make: `chmod 0755 ${SHIM}`,
    check: "files",
    level: "warning",
    what: /shim has mode 0755, and should have at most 0711/,
  },
  {
    name: "a host key that others can read",
    make: "chmod 0644 /var/lib/sallyport/host.key",
    check: "files",
    level: "error",
    what: /host\.key has mode 0644/,
  },
  {
    name: "a directory of ours that others can write to",
    make: "chmod 0777 /etc/sallyport",
    check: "files",
    level: "error",
    what: /^\/etc\/sallyport can be written to by others/,
  },
  {
    name: "a recording that was set aside",
    make: "mkdir -p /var/lib/sallyport/spool/rejected/ses_01m83bm45ry0v3yt7hyz1eshm1",
    check: "disk",
    level: "warning",
    what: /^1 recording set aside/,
    undo: "rm -r /var/lib/sallyport/spool/rejected/ses_01m83bm45ry0v3yt7hyz1eshm1",
  },
  {
    name: "a disk without the reserve",
    make: `echo 'diskReserve: 1000000000' >> ${CONFIG}`,
    check: "disk",
    level: "error",
    what: /are kept in reserve$/,
    undo: `sed -i /diskReserve/d ${CONFIG}`,
  },
  {
    name: "a configuration newer than sshd",
    make: `touch --date '+1 minute' ${DROP_INS}/10-sallyport.conf`,
    check: "sshd-process",
    level: "warning",
    what: /was last loaded before .*10-sallyport\.conf was changed/,
    undo: `touch ${DROP_INS}/10-sallyport.conf`,
  },
];

describe("sallyport-agent", () => {
  let world: World;

  before(async () => {
    world = await startWorld({ engagements: [{ name: "web", members: ["alice"] }] });
    // The first policy and the first contact with everybody take a moment.
    assert.ok(await until(async () => (await doctor()).status === 0, 10_000), await report());
  });
  after(() => world.close());

  const agent = (...args: string[]) => world.host.run([process.execPath, MAIN, ...args]);
  const shell = async (command: string) => {
    const { status, stderr } = await world.host.run(["sh", "-c", command]);
    assert.equal(status, 0, `${command}: ${stderr}`);
  };
  /** What `systemctl reload ssh` does; an sshd that is still loading has no pid file. */
  const reloadSshd = async () => {
    const loaded = async () => (await world.host.run(["test", "-s", "/run/sshd.pid"])).status === 0;
    assert.ok(await until(loaded, 5_000));
    await shell('sshd -t && kill -HUP "$(cat /run/sshd.pid)"');
    assert.ok(await until(loaded, 5_000));
  };
  const doctor = async (): Promise<{ status: number | null; findings: Finding[] }> => {
    const { status, stdout, stderr } = await agent("doctor", "--json");
    assert.equal(stderr, "");
    return { status, findings: (JSON.parse(stdout) as { findings: Finding[] }).findings };
  };
  const report = async () => (await agent("doctor")).stdout;

  describe("doctor", () => {
    it("finds nothing wrong with a host that is as it should be", async () => {
      const { status, findings } = await doctor();
      assert.deepEqual(
        findings.filter(({ level }) => level !== "ok"),
        [],
      );
      assert.equal(status, 0);
      const checks = new Set(findings.map(({ check }) => check));
      for (const name of ["enrolment", "sshd", "sshd-files", "sshd-process", "files", "agent", "policy"])
        assert.ok(checks.has(name), name);
      for (const name of ["disk", "reach", "kernel", "accounts"]) assert.ok(checks.has(name), name);
      assert.match(await report(), /^ok .*\n(.*\n)*\nAll is well\.\n$/);
    });

    for (const fault of FAULTS) {
      it(`finds ${fault.name}, says why it matters, and it is gone when mended`, async () => {
        await shell(fault.make);
        const { status, findings } = await doctor();
        const found = findings.find(({ check, what }) => check === fault.check && fault.what.test(what));
        assert.ok(
          found,
          JSON.stringify(
            findings.filter(({ level }) => level !== "ok"),
            null,
            1,
          ),
        );
        assert.equal(found.level, fault.level);
        assert.equal(status, findings.some(({ level }) => level === "error") ? 4 : 3);
        assert.match(found.why, /^.{20,}\.$/);
        assert.notEqual(found.fix, "");
        await shell(fault.undo ?? found.fix.replace(/(;| &&) (sshd -t|systemctl).*$/, ""));
        // What was changed and changed back is newer than the sshd that runs.
        await reloadSshd();
        assert.ok(await until(async () => (await doctor()).status === 0, 10_000), await report());
      });
    }

    it("is for root", async () => {
      const { status, stderr } = await world.host.run([process.execPath, MAIN, "doctor"], { uid: "nobody" });
      // Where nobody can not even read the program, Node says so with the same status.
      assert.equal(status, 1, stderr);
    });
  });

  describe("status and metrics", () => {
    const metrics = async () => {
      const socket = ["--unix-socket", "/run/sallyport/metrics.sock"];
      const { stdout, stderr } = await world.host.run(["curl", "-sS", ...socket, "http://localhost/metrics"]);
      assert.equal(stderr, "");
      return stdout;
    };

    it("tell of a session, while it is there and after", async () => {
      const alice = await world.signedIn("alice");
      const { spawn } = await import("node:child_process");
      const [program = "", ...args] = alice.ssh("web-1", "echo in; read word");
      const ssh = spawn(program, args, { env: alice.env, stdio: ["pipe", "pipe", "inherit"] });
      await new Promise((resolve) => ssh.stdout.once("data", resolve));
      const { stdout, status } = await agent("status", "--json");
      assert.equal(status, 0);
      const document = JSON.parse(stdout) as {
        sessions: { member: string; account: string; kind: string; engagement: string }[];
        recorders: { sessions: number }[];
        spool: { recordings: number };
      };
      const [session] = document.sessions;
      assert.equal(document.sessions.length, 1);
      assert.deepEqual(
        [session?.member, session?.account, session?.kind, session?.engagement],
        ["alice", "deploy", "command", "web"],
      );
      assert.equal(
        document.recorders.reduce((sum, recorder) => sum + recorder.sessions, 0),
        1,
      );
      assert.equal(document.spool.recordings, 1);
      assert.match(
        (await agent("status")).stdout,
        /^sessions +1\n {2}ses_\S+ {2}alice as deploy from 127\.0\.0\.1, web, command/m,
      );
      assert.match(await metrics(), /^sallyport_sessions_live 1$/m);

      const ended = new Promise((resolve) => ssh.once("close", resolve));
      ssh.stdin.end("\n");
      await ended;
      const over = () => metrics().then((text) => /^sallyport_sessions_live 0$/m.test(text));
      assert.ok(await until(over, 10_000));
      const text = await metrics();
      assert.match(text, /^sallyport_logins_total\{outcome="admit",code=""\} 1$/m);
      assert.match(text, /^sallyport_sessions_started_total 1$/m);
      assert.match(text, /^sallyport_sessions_ended_total\{reason="exited"\} 1$/m);
      assert.match(text, /^sallyport_decision_seconds_count [1-9]/m);
      assert.match(text, /^sallyport_uplink_connected 1$/m);
      assert.match(text, /^sallyport_blocks_uploaded_total [1-9]/m);
      assert.match(text, /^process_cpu_seconds_total /m);
    });

    it("are not for accounts of the host", async () => {
      for (const socket of ["/run/sallyport/metrics.sock", "/run/sallyport/agent/status.sock"]) {
        const curl = ["curl", "-sS", "--unix-socket", socket, "http://localhost/metrics"];
        const outcome = await world.host.run(curl, { uid: "deploy" });
        assert.deepEqual([outcome.status, outcome.stdout], [7, ""], socket);
      }
    });

    it("say plainly that the agent does not run, and doctor tells the lease without it", async () => {
      await world.host.stopAgent();
      const { status, stdout, stderr } = await agent("status");
      assert.deepEqual([status, stdout], [3, ""]);
      assert.match(
        stderr,
        /^The agent does not run on this host\. Contractors cannot log in; administrators/,
      );
      const { status: ill, findings } = await doctor();
      assert.equal(ill, 4);
      assert.ok(findings.some(({ check, level }) => check === "agent" && level === "error"));
      assert.ok(
        findings.some(({ check, what }) => check === "policy" && what.startsWith("the lease holds for")),
      );
      await world.host.startAgent();
      assert.ok(await until(async () => (await doctor()).status === 0, 10_000), await report());
    });
  });

  describe("doctor, with others away,", () => {
    it("says what stops when the control plane and the identity provider are gone", async () => {
      await world.stopControlPlane("SIGKILL");
      await world.idp.close();
      const lost = async () =>
        (await doctor()).findings.some(({ what }) => what.startsWith("not connected to"));
      assert.ok(await until(lost, 10_000));
      const { status, findings } = await doctor();
      assert.equal(status, 4);
      const reach = findings.filter(({ check }) => check === "reach");
      assert.deepEqual(
        reach.map(({ level }) => level),
        ["error", "warning"],
      );
      assert.match(reach[0]?.what ?? "", /^the control plane .* cannot be reached: .*ECONNREFUSED/);
      assert.match(reach[0]?.why ?? "", /When the lease ends: nobody is admitted/);
      assert.match(reach[1]?.why ?? "", /token-key-unknown/);
    });
  });
});
