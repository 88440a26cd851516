import assert from "node:assert/strict";
import { parseSettings } from "@sallyport/agent/doctor/effective-settings.ts";
import { differences } from "@sallyport/agent/doctor/setting-differences.ts";
import { acceptedEnvironment, otherSettings } from "@sallyport/agent/doctor/sshd-surroundings.ts";

describe("what sshd -T says", () => {
  it("is compared with what we want: by keyword in any case, every value of it in any order", () => {
    const effective = parseSettings(
      "permittty yes\nforcecommand /bin/sh -c  x\nacceptenv B\nacceptenv A\nallowtcpforwarding yes\n",
    );
    assert.deepEqual(
      differences(
        [
          ["PermitTTY", "yes"],
          ["AcceptEnv", "A B"],
          ["AllowTcpForwarding", "all"],
          ["ForceCommand", "/usr/lib/sallyport/shim session"],
          ["PermitTunnel", "no"],
        ],
        effective,
      ),
      [
        { keyword: "ForceCommand", expected: "/usr/lib/sallyport/shim session", actual: "/bin/sh -c  x" },
        { keyword: "PermitTunnel", expected: "no", actual: "not set" },
      ],
    );
  });

  for (const [pattern, open] of [
    ["LANG LC_*", false],
    ["COLORTERM", false],
    ["*", true],
    ["LD_*", true],
    ["LD_PRELOA?", true],
    ["BASH_*", true],
    ["BASH_FUNC_*", true],
    ["ENV", true],
    ["PATH", true],
    ["NODE_*", true],
    ["[L]D_PRELOAD", false],
  ] as const) {
    it(`AcceptEnv ${pattern} ${open ? "lets a contractor in before the recorder" : "is harmless"}`, () => {
      const found = acceptedEnvironment(
        parseSettings(`acceptenv XMODIFIERS\nacceptenv ${pattern}\n`),
        "deploy",
      );
      assert.deepEqual(
        found.map(({ level }) => level),
        open ? ["error"] : [],
      );
    });
  }

  for (const [line, level, what] of [
    ["permituserenvironment no", null, null],
    ["permituserenvironment LD_*", "error", /^PermitUserEnvironment is "LD_\*"$/],
    ["usepam no", "warning", /^UsePAM is off$/],
    ["maxsessions 0", "error", /^MaxSessions is 0$/],
    ["maxsessions 10", null, null],
    ["chrootdirectory /srv", "error", /^ChrootDirectory is "\/srv" for deploy$/],
    ["loglevel QUIET", "warning", /^LogLevel is QUIET$/],
    ["loglevel VERBOSE", null, null],
    ["subsystem sftp internal-sftp -l INFO", "warning", /internal/],
    ["subsystem sftp /usr/lib/openssh/sftp-server", null, null],
    ["casignaturealgorithms rsa-sha2-512,ecdsa-sha2-nistp256", "error", /does not have ssh-ed25519$/],
    ["casignaturealgorithms rsa-sha2-512,ssh-ed25519", null, null],
  ] as const) {
    it(`"${line}" is ${level === null ? "well" : `a reason for ${level}`}`, () => {
      const found = otherSettings(parseSettings(`${line}\n`), "deploy", ["ssh-ed25519"]);
      assert.deepEqual(
        found.map((one) => one.level),
        level === null ? [] : [level],
      );
      if (what !== null) assert.match(found[0]?.what ?? "", what);
    });
  }
});
