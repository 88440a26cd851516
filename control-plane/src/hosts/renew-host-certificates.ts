import { isSallyportError } from "@sallyport/core/errors.ts";
import { parseCertificateLine, type SshCertificate } from "@sallyport/core/ssh/certificate.ts";
import { fingerprint, parsePublicKeyLine, type SshPublicKey } from "@sallyport/core/ssh/public-key.ts";
import { audit } from "../audit/audit.ts";
import { type Host, hostById } from "../database/hosts.ts";
import { inTransaction } from "../database/open-database.ts";
import type { Database } from "../database/tables.ts";
import { seconds } from "../environment.ts";
import { type HostCertificateNeeds, hostNames, signHostCertificate } from "./sign-host-certificate.ts";

/** A host key of sshd's as its host tells of it: lines of `.pub` and `-cert.pub` files. */
export interface HeldHostKey {
  key: string;
  certificate: string | null;
}

interface Needs extends HostCertificateNeeds {
  db: Database;
}

/**
 * New certificates for those of a host's keys whose certificate has a third of its life or less left, is of a CA key that
 * no longer signs, or names the host otherwise than we do. Which key is certified is the host's own affair; the names are
 * those that it was enrolled under, whatever it says. Codes `key-unavailable`, `ssh-malformed`, `ssh-unsupported`.
 */
export async function renewHostCertificates(
  needs: Needs,
  hostId: string,
  held: readonly HeldHostKey[],
): Promise<string[]> {
  const host = await hostById(needs.db, hostId);
  if (host === undefined || host.removed) return [];
  const keys = held.map(({ key, certificate }) => {
    const publicKey = parsePublicKeyLine(key);
    return { publicKey, certificate: certificateOf(publicKey, certificate) };
  });
  const now = seconds(needs.environment.clock);
  const due = keys.filter(({ certificate }) => isDue(needs, host, certificate, now));
  const lines: string[] = [];
  for (const { publicKey } of due) lines.push(await signHostCertificate(needs, publicKey, hostNames(host)));
  if (lines.length > 0) await tell(needs, host, due);
  return lines;
}

/** Fingerprints of the CA keys that these certificates are from. */
export function certifiedBy(held: readonly HeldHostKey[]): string[] {
  const cas = held.flatMap(({ key, certificate }) => {
    const read = certificateOf(parsePublicKeyLine(key), certificate);
    return read === undefined ? [] : [fingerprint(read.signatureKey.blob)];
  });
  return [...new Set(cas)];
}

function isDue({ keys }: Needs, host: Host, certificate: SshCertificate | undefined, now: number): boolean {
  if (certificate === undefined || certificate.certType !== "host") return true;
  const { validAfter, validBefore, validPrincipals, signatureKey } = certificate;
  if (validBefore - now <= (validBefore - validAfter) / 3) return true;
  if (Buffer.compare(signatureKey.blob, keys.hostCa.publicKey.blob) !== 0) return true;
  return [...validPrincipals].sort().join() !== hostNames(host).sort().join();
}

/** What the host has for this key; nothing where that is of another key, or cannot be read. */
function certificateOf(key: SshPublicKey, line: string | null): SshCertificate | undefined {
  if (line === null) return undefined;
  try {
    const certificate = parseCertificateLine(line);
    return Buffer.compare(certificate.publicKey.blob, key.blob) === 0 ? certificate : undefined;
  } catch (error) {
    if (isSallyportError(error)) return undefined;
    throw error;
  }
}

async function tell(
  { db, environment, config }: Needs,
  host: Host,
  due: readonly { publicKey: SshPublicKey }[],
): Promise<void> {
  const data = {
    host: host.name,
    names: hostNames(host),
    keys: due.map(({ publicKey }) => fingerprint(publicKey.blob)),
    validBefore: seconds(environment.clock) + config.hostCertificateLifetime,
  };
  await inTransaction(db, (db) =>
    audit(db, environment, { type: "host-certificates-renewed", actor: host.id, data }).then(() => undefined),
  );
}
