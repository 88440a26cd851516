import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import type { HostNamespace } from "./namespace.ts";

/**
 * Makes /etc that of a freshly installed host: its own name and SSH host keys, Debian's stock sshd_config, and nothing
 * of what the machine's administrator has added there.
 */
export async function writeSystemFiles(host: HostNamespace, name: string, sshdConfig = ""): Promise<void> {
  const at = (path: string) => host.outside(path);
  writeFileSync(at("/etc/hostname"), `${name}\n`);
  writeFileSync(at("/etc/hosts"), `127.0.0.1 localhost\n127.0.1.1 ${name}\n::1 localhost ip6-localhost\n`);
  // A quiet login: what comes before the shell is sshd's and differs from machine to machine.
  writeFileSync(at("/etc/motd"), "");
  rmSync(at("/etc/update-motd.d"), { recursive: true, force: true });
  rmSync(at("/etc/sallyport"), { recursive: true, force: true });
  rmSync(at("/etc/nologin"), { force: true });

  mkdirSync(at("/etc/ssh/sshd_config.d"), { recursive: true });
  for (const file of readdirSync(at("/etc/ssh"))) {
    if (file.startsWith("ssh_host_")) rmSync(at(`/etc/ssh/${file}`));
  }
  for (const file of readdirSync(at("/etc/ssh/sshd_config.d"))) rmSync(at(`/etc/ssh/sshd_config.d/${file}`));
  copyFileSync(at("/usr/share/openssh/sshd_config"), at("/etc/ssh/sshd_config"));
  // Twenty sessions at once come from one person here; sshd's defaults would take that for an attack.
  writeFileSync(at("/etc/ssh/sshd_config.d/90-light-host.conf"), "MaxStartups 300\nMaxSessions 100\n");
  writeFileSync(at("/etc/ssh/sshd_config.d/50-extra.conf"), `${sshdConfig}\n`);
  for (const type of ["ed25519", "ecdsa"]) {
    await host.mustRun(["ssh-keygen", "-q", "-t", type, "-N", "", "-f", `/etc/ssh/ssh_host_${type}_key`]);
  }
}
