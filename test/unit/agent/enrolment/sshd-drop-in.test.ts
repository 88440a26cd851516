import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { AgentConfig } from "@sallyport/agent/configuration/agent-config.ts";
import { dropInText, installDropIn, type SshdFiles } from "@sallyport/agent/enrolment/sshd-drop-in.ts";
import type { Trust } from "@sallyport/core/messages/trust.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** In this machine's /etc/group and /etc/passwd: `games` is in its own group, `daemon` in another. */
const CONTRACTOR = "games";
const OTHERS = ["daemon", "root", "nobody"];
const TRUST = {
  userCaKeys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHR0 one", "ssh-ed25519 AAAA two"],
} as unknown as Trust;

/** What contractors get, and nobody else. */
const OURS: Record<string, (directory: string) => string> = {
  trustedusercakeys: (directory) => join(directory, "user_ca.pub"),
  revokedkeys: (directory) => join(directory, "revoked_keys.krl"),
  authorizedprincipalscommand: () => "/usr/lib/sallyport/shim principals --user=%u --key=%k",
  authorizedprincipalscommanduser: () => "daemon",
  authenticationmethods: () => "publickey",
  pubkeyauthentication: () => "yes",
  authorizedkeysfile: () => "none",
  authorizedkeyscommand: () => "none",
  authorizedprincipalsfile: () => "none",
  passwordauthentication: () => "no",
  kbdinteractiveauthentication: () => "no",
  hostbasedauthentication: () => "no",
  gssapiauthentication: () => "no",
  forcecommand: () => "/usr/lib/sallyport/shim session",
  permituserrc: () => "no",
  permittty: () => "yes",
  gatewayports: () => "no",
  allowstreamlocalforwarding: () => "no",
  permittunnel: () => "no",
};

describe("sshd's drop-in", () => {
  const directory = temporaryDirectory();
  let files: SshdFiles;
  let config: AgentConfig;

  beforeEach(() => {
    mkdirSync(directory.file("conf.d"));
    spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", directory.file("host_key")]);
    // The program that enrolment asks is the real sshd, with this directory's configuration in place of /etc's.
    writeFileSync(
      directory.file("sshd"),
      `#!/bin/sh\nexec /usr/sbin/sshd -f ${directory.file("sshd_config")} "$@"\n`,
      { mode: 0o755 },
    );
    config = AgentConfig.parse({
      version: 1,
      group: CONTRACTOR,
      sshdUser: "daemon",
      sshd: directory.file("sshd"),
    });
    files = {
      dropIn: directory.file("conf.d/10-sallyport.conf"),
      userCaKeys: directory.file("user_ca.pub"),
      revokedKeys: directory.file("revoked_keys.krl"),
      certificates: [],
    };
    operator("");
  });

  /** An operator's configuration: Debian's, with lines of their own behind. */
  const operator = (lines: string) =>
    writeFileSync(
      directory.file("sshd_config"),
      `Include ${directory.file("conf.d")}/*.conf\nHostKey ${directory.file("host_key")}\nKbdInteractiveAuthentication no\nUsePAM yes\nX11Forwarding yes\nSubsystem sftp /usr/lib/openssh/sftp-server\n${lines}\n`,
    );

  /** What sshd would do with a user, by keyword. */
  const effective = (user: string): Record<string, string> => {
    const spec = `user=${user},host=client.example,addr=192.0.2.7,laddr=192.0.2.1,lport=22`;
    const { status, stdout, stderr } = spawnSync(config.sshd, ["-T", "-C", spec], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    const pairs = stdout
      .trim()
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]);
    return Object.fromEntries(pairs);
  };
  const tree = () =>
    Object.fromEntries(
      readdirSync(directory.path, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => join(parentPath, name))
        .map((path) => [
          path,
          `${(statSync(path).mode & 0o777).toString(8)} ${readFileSync(path, "latin1")}`,
        ]),
    );

  for (const [what, lines] of [
    ["as Debian ships it", ""],
    [
      "with a CA, keys and passwords of the operator's own",
      "TrustedUserCAKeys /etc/ssh/operator_ca.pub\nAuthorizedPrincipalsFile /etc/ssh/principals/%u\nAuthorizedKeysFile /etc/ssh/keys/%u\nPasswordAuthentication yes\nPermitTunnel yes\nHostbasedAuthentication yes\nPermitTTY no\nPubkeyAuthentication no\nPermitUserRC yes",
    ],
    [
      "with the operator's commands",
      "AuthorizedKeysCommand /usr/bin/operator %u\nAuthorizedKeysCommandUser nobody\nForceCommand /usr/bin/operator\nAuthenticationMethods publickey,password",
    ],
    ["with forwarding that the operator forbids to all", "AllowTcpForwarding no\nGatewayPorts yes"],
    [
      "with a Match of the operator's behind ours",
      `Match Group ${CONTRACTOR}\n  PasswordAuthentication yes\n  ForceCommand none\n  AuthorizedKeysFile .ssh/authorized_keys\n  DisableForwarding no\nMatch User daemon\n  PermitTTY no`,
    ],
    [
      "with a Match of the operator's for all",
      "Match all\n  TrustedUserCAKeys /etc/ssh/operator_ca.pub\n  PasswordAuthentication yes",
    ],
  ] as const) {
    it(`gives contractors exactly our settings, and nobody else any: ${what}`, () => {
      operator(lines);
      const before = new Map([CONTRACTOR, ...OTHERS].map((user) => [user, effective(user)]));
      installDropIn(files, TRUST, config);
      const expected = Object.fromEntries(
        Object.entries(OURS).map(([key, value]) => [key, value(directory.path)]),
      );
      assert.deepEqual(effective(CONTRACTOR), { ...before.get(CONTRACTOR), ...expected });
      for (const user of OTHERS) assert.deepEqual(effective(user), before.get(user), user);
      assert.equal(readFileSync(files.userCaKeys, "utf8"), `${TRUST.userCaKeys.join("\n")}\n`);
      const query = ["-Qlf", files.revokedKeys];
      assert.equal(spawnSync("ssh-keygen", query, { encoding: "utf8" }).status, 0, "a list of nothing");
      for (const path of [files.userCaKeys, files.revokedKeys, files.dropIn])
        assert.equal(statSync(path).mode & 0o777, 0o644);
    });
  }

  it("shows the host certificates to everybody, and those alone", () => {
    const path = directory.file("host_key-cert.pub");
    files.certificates = [{ path, line: "ssh-ed25519-cert-v01@openssh.com AAAA" }];
    const before = effective("daemon");
    writeFileSync(files.dropIn, dropInText(files, config));
    assert.deepEqual(effective("daemon"), { ...before, hostcertificate: path });
    assert.equal(effective(CONTRACTOR).hostcertificate, path);
  });

  describe("is taken back, every file byte for byte and with its mode, when", () => {
    const older = () => {
      files.certificates = [{ path: directory.file("host_key-cert.pub"), line: "a certificate" }];
      writeFileSync(files.dropIn, "# older\r\n\xff", { encoding: "latin1", mode: 0o600 });
      writeFileSync(files.userCaKeys, "an older CA, no line end", { mode: 0o640 });
    };

    it("sshd refuses it", () => {
      older();
      config = { ...config, sshdUser: "a b c" };
      chmodSync(files.userCaKeys, 0o640);
      const before = tree();
      assert.throws(() => installDropIn(files, TRUST, config), {
        code: "config-invalid",
        message: /^sshd refuses the drop-in, so nothing was changed: .*sshd_config|10-sallyport\.conf/,
      });
      assert.deepEqual(tree(), before);
      assert.ok(!existsSync(directory.file("host_key-cert.pub")));
    });

    it("sshd cannot be asked", () => {
      older();
      config = { ...config, sshd: directory.file("no-sshd") };
      const before = tree();
      assert.throws(() => installDropIn(files, TRUST, config), { code: "config-invalid", message: /ENOENT/ });
      assert.deepEqual(tree(), before);
    });

    it("one of the files cannot be written", () => {
      older();
      rmSync(directory.file("conf.d"), { recursive: true });
      const before = tree();
      assert.throws(() => installDropIn(files, TRUST, config), /ENOENT/);
      assert.deepEqual(tree(), before);
    });
  });
});
