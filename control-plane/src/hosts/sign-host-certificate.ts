import { formatCertificateLine, signCertificateWith } from "@sallyport/core/ssh/certificate.ts";
import type { SshPublicKey } from "@sallyport/core/ssh/public-key.ts";
import type { Configuration } from "../config/configuration.ts";
import { type Environment, seconds } from "../environment.ts";
import type { Keys } from "../keys/keys.ts";

const BACKDATED = 3600;

/** What signing a host certificate needs. */
export interface HostCertificateNeeds {
  environment: Pick<Environment, "clock" | "random">;
  keys: Pick<Keys, "hostCa">;
  config: Pick<Configuration, "hostCertificateLifetime">;
}

/** The names that a host may have in its certificates: its own, and where it is reached. Never what a host asks for. */
export function hostNames({ name, address }: { name: string; address: string }): string[] {
  return [...new Set([name, address])];
}

/** Certifies one of sshd's host keys for these names, as one line of a `-cert.pub` file. Code `key-unavailable`. */
export async function signHostCertificate(
  needs: HostCertificateNeeds,
  key: SshPublicKey,
  names: readonly string[],
): Promise<string> {
  const now = seconds(needs.environment.clock);
  const blob = await signCertificateWith(
    {
      certType: "host",
      publicKey: key,
      serial: Buffer.from(needs.environment.random(8)).readBigUInt64BE() >> 1n,
      keyId: `sallyport-host:${names[0] ?? ""}`,
      validPrincipals: names,
      validAfter: now - BACKDATED,
      validBefore: now + needs.config.hostCertificateLifetime,
      nonce: needs.environment.random(32),
    },
    needs.keys.hostCa,
  );
  return formatCertificateLine(blob, "sallyport");
}
