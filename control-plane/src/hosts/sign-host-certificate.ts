import { formatCertificateLine, signCertificate } from "@sallyport/core/ssh/certificate.ts";
import type { SshPublicKey } from "@sallyport/core/ssh/public-key.ts";
import { type Environment, seconds } from "../environment.ts";
import type { Keys } from "../keys/keys.ts";

/** Long, for nothing renews it in this version. */
const LIFETIME = 2 * 365 * 86_400;
const BACKDATED = 3600;

/** Certifies one of sshd's host keys for these names, as one line of a `-cert.pub` file. */
export function signHostCertificate(
  needs: { environment: Pick<Environment, "clock" | "random">; keys: Pick<Keys, "hostCa"> },
  key: SshPublicKey,
  names: readonly string[],
): string {
  const now = seconds(needs.environment.clock);
  const blob = signCertificate(
    {
      certType: "host",
      publicKey: key,
      serial: Buffer.from(needs.environment.random(8)).readBigUInt64BE() >> 1n,
      keyId: `sallyport-host:${names[0] ?? ""}`,
      validPrincipals: [...new Set(names)],
      validAfter: now - BACKDATED,
      validBefore: now + LIFETIME,
      nonce: needs.environment.random(32),
    },
    needs.keys.hostCa,
  );
  return formatCertificateLine(blob, "sallyport");
}
