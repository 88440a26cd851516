import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { LightHost } from "../demo/light-host.ts";
import { printed, run } from "../test/fixtures/processes.ts";

/** The account that is reached past Sallyport. */
export const PLAIN_ACCOUNT = "plain";

/** What a client needs for the plain sshd. */
export interface PlainLogin {
  port: number;
  identity: string;
  certificate: string;
}

/**
 * Starts a second sshd in the host, without anything of ours: Debian's stock configuration, as the wrapped one has, and
 * a user CA made by ssh-keygen.
 */
export async function startPlainSshd(
  host: LightHost,
  port: number,
  directory: string,
  certificateLike: string,
): Promise<PlainLogin> {
  mkdirSync(directory, { mode: 0o700 });
  const login = await certify(directory, certificateLike);
  const config = stockConfig(readFileSync("/usr/share/openssh/sshd_config", "utf8"), host.address, port);
  writeInside(host, "/etc/ssh/plain_user_ca.pub", readFileSync(join(directory, "ca.pub"), "utf8"));
  writeInside(host, "/etc/ssh/sshd_config_plain", config);
  const argv = ["/usr/sbin/sshd", "-D", "-e", "-f", "/etc/ssh/sshd_config_plain"];
  const sshd = host.spawn(argv, { stdio: ["ignore", "ignore", "pipe"], detached: true });
  await printed(sshd, /Server listening on/, "stderr");
  // Later lines tell of each login; nobody reads them.
  sshd.stderr?.resume();
  await pause(50);
  return { ...login, port };
}

function stockConfig(stock: string, address: string, port: number): string {
  const lines = stock.split("\n").filter((line) => !/^\s*Include\s/.test(line));
  return [
    `Port ${port}`,
    `ListenAddress ${address}`,
    "PidFile none",
    "TrustedUserCAKeys /etc/ssh/plain_user_ca.pub",
    // The same proof of the host's identity, so that the same known_hosts line holds for both.
    "HostCertificate /etc/ssh/ssh_host_ed25519_key-cert.pub",
    "HostCertificate /etc/ssh/ssh_host_ecdsa_key-cert.pub",
    "MaxStartups 100",
    "MaxSessions 100",
    ...lines,
  ].join("\n");
}

/**
 * A CA, a key and a certificate. The certificate is padded by an extension that means nothing to the exact size of
 * Sallyport's, which carries an ID token: what the larger packets cost is not counted as Sallyport's doing.
 */
async function certify(directory: string, like: string): Promise<Omit<PlainLogin, "port">> {
  const identity = join(directory, "id_ed25519");
  const certificate = join(directory, "id_ed25519-cert.pub");
  for (const key of [join(directory, "ca"), identity])
    await mustRun(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", key]);
  const sign = async (pad: string) => {
    const extension = `extension:pad@bench.sallyport.dev=${pad}`;
    const subject = ["-I", "bench", "-n", PLAIN_ACCOUNT, "-V", "-1m:+1h", "-O", extension];
    rmSync(certificate, { force: true });
    await mustRun(["ssh-keygen", "-q", "-s", join(directory, "ca"), ...subject, `${identity}.pub`]);
    return blobLength(certificate);
  };
  const missing = blobLength(like) - (await sign("x"));
  const padded = await sign("x".repeat(1 + missing));
  if (padded !== blobLength(like)) throw new Error(`the plain certificate has ${padded} bytes`);
  return { identity, certificate };
}

/** Bytes of a certificate, out of its line in a file. */
function blobLength(file: string): number {
  return Buffer.from(readFileSync(file, "utf8").split(" ")[1] ?? "", "base64").length;
}

/** Writes a file in the host, readable by all. */
export function writeInside(host: LightHost, path: string, data: string | Uint8Array): void {
  writeFileSync(`/proc/${host.pid}/root${path}`, data, { mode: 0o644 });
}

async function mustRun(argv: readonly string[]): Promise<void> {
  const outcome = await run(argv);
  if (outcome.status !== 0) throw new Error(`${argv.join(" ")} failed: ${outcome.stderr}`);
}
