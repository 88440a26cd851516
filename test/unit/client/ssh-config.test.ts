import assert from "node:assert/strict";
import { configText } from "@sallyport/client/ssh-config/config-text.ts";
import { plainHost, quotedPath, shellWord } from "@sallyport/client/ssh-config/config-value.ts";
import { hostCaKeyLines, knownHostsText } from "@sallyport/client/ssh-config/known-hosts.ts";
import { statePaths } from "@sallyport/client/state/paths.ts";
import type { ReachableHost } from "@sallyport/core/messages/client-api.ts";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";

function host(changes: Partial<Record<keyof ReachableHost, unknown>>): ReachableHost {
  return { name: "web-1", address: "192.0.2.1", port: 22, accounts: ["deploy"], ...changes } as ReachableHost;
}

describe("ssh_config", () => {
  it("is this, for two hosts", () => {
    const hosts = [
      { name: "web-1", address: "192.0.2.1", port: 2222, account: "deploy" },
      { name: "db.example", address: "2001:db8::1", port: 22, account: null },
    ];
    const text = configText(hosts, statePaths("/home/al ice/s%p"));
    assert.equal(
      text,
      `# Written by sallyport, and again at every sign-in: changes made here are lost.

Match originalhost web-1,db.example !exec "sh '/home/al ice/s%%p/ensure.sh' %n"
  ProxyCommand false
  LogLevel QUIET

Host web-1
  HostName 192.0.2.1
  Port 2222
  User deploy
  IdentityFile "/home/al ice/s%%p/id_ed25519"
  CertificateFile "/home/al ice/s%%p/sallyport-cert.pub"
  IdentitiesOnly yes
  IdentityAgent SSH_AUTH_SOCK
  AddKeysToAgent no
  PreferredAuthentications publickey
  HostKeyAlias web-1
  UserKnownHostsFile "/home/al ice/s%%p/known_hosts"
  StrictHostKeyChecking yes

Host db.example
  HostName 2001:db8::1
  Port 22
  IdentityFile "/home/al ice/s%%p/id_ed25519"
  CertificateFile "/home/al ice/s%%p/sallyport-cert.pub"
  IdentitiesOnly yes
  IdentityAgent SSH_AUTH_SOCK
  AddKeysToAgent no
  PreferredAuthentications publickey
  HostKeyAlias db.example
  UserKnownHostsFile "/home/al ice/s%%p/known_hosts"
  StrictHostKeyChecking yes
`,
    );
  });

  const hostile: [string, ReachableHost][] = [
    ["a name with a line end", host({ name: "web-1\n  ProxyCommand touch /tmp/x" })],
    ["a name with a pattern", host({ name: "*" })],
    ["a name with a comma", host({ name: "web-1,github.com" })],
    ["a name with a quote", host({ name: 'web"1' })],
    ["a name with a dash in front", host({ name: "-oProxyCommand=x" })],
    ["a name with a %", host({ name: "web%h" })],
    ["no name", host({ name: "" })],
    ["an address with a line end", host({ address: "192.0.2.1\n  ProxyCommand x" })],
    ["an address with a space", host({ address: "192.0.2.1 x" })],
    ["an address with a %", host({ address: "%h" })],
    ["an address with a dash in front", host({ address: "-oProxyCommand=x" })],
    ["an address with a zone", host({ address: "fe80::1%eth0" })],
    ["no address", host({ address: "" })],
    ["only accounts that are none", host({ accounts: ["root\n  ProxyCommand x", "a b"] })],
  ];
  for (const [name, each] of hostile) {
    it(`leaves out ${name}`, () => assert.equal(plainHost(each), undefined));
  }

  it("takes the first account that is one", () => {
    assert.equal(plainHost(host({ accounts: ["a b", "app", "deploy"] }))?.account, "app");
    assert.equal(plainHost(host({ accounts: [] }))?.account, null);
  });

  it("takes names and addresses of both kinds", () => {
    for (const address of ["192.0.2.1", "2001:db8::1", "web-1.internal.example.com", "localhost"]) {
      assert.equal(plainHost(host({ address }))?.address, address);
    }
  });

  it("refuses paths that it cannot write", () => {
    for (const path of ['/a"b', "/a'b", "/a\\b", "/a$b", "/a*b", "/a?b", "/a[b", "/a\nb", "/a\u0000b"]) {
      assert.throws(() => quotedPath(path), { code: "config-invalid" }, path);
      assert.throws(() => shellWord(path), { code: "config-invalid" }, path);
    }
  });

  it("trusts the host CA for these hosts only", () => {
    const hosts = [
      { name: "web-1", address: "a", port: 22, account: null },
      { name: "web-2", address: "b", port: 22, account: null },
    ];
    const expected = `@cert-authority web-1,web-2 ${KEY}\n`;
    for (const line of [KEY, `${KEY} sallyport-host-ca`, `@cert-authority * ${KEY} ca`]) {
      assert.equal(knownHostsText(hosts, hostCaKeyLines([line])), expected);
    }
    assert.equal(knownHostsText([], [KEY]), "");
  });

  it("takes no host CA key with a line of its own", () => {
    assert.throws(() => hostCaKeyLines([`${KEY}\n@cert-authority * ${KEY}`]), { code: "message-malformed" });
    assert.throws(() => hostCaKeyLines(["nonsense"]), { code: "message-malformed" });
  });
});
