import { SallyportError } from "../errors.ts";
import { isSshKeyType, publicKeyFieldCount, type SshKeyType } from "./key-type.ts";
import { parsePublicKeyBlob, type SshPublicKey } from "./public-key.ts";
import { malformed, SshReader, SshWriter } from "./wire.ts";

/** Whether a certificate is for logging in (SSH_CERT_TYPE_USER) or for a server's key (SSH_CERT_TYPE_HOST). */
export type CertType = "user" | "host";

/** "No limit" in a validity field; stands for 2^64-1 on the wire. */
export const FOREVER = Number.MAX_SAFE_INTEGER;

/** As many principals as OpenSSH takes (SSHKEY_CERT_MAX_PRINCIPALS). */
export const MAX_PRINCIPALS = 256;

const NAME_SUFFIX = "-cert-v01@openssh.com";
const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** The certificate type name for a key type, such as `ssh-ed25519-cert-v01@openssh.com`. */
export function certificateTypeName(type: SshKeyType): string {
  return `${type}${NAME_SUFFIX}`;
}

/** The inverse of {@link certificateTypeName}; code `ssh-unsupported` for any other name. */
export function keyTypeOfCertificate(name: string): SshKeyType {
  const type = name.endsWith(NAME_SUFFIX) ? name.slice(0, -NAME_SUFFIX.length) : "";
  if (!isSshKeyType(type))
    throw new SallyportError("ssh-unsupported", "The certificate is of an unknown type.");
  return type;
}

/** Reads the certified key: a certificate has the fields of a public key blob, without the type name in front. */
export function readCertifiedKey(reader: SshReader, type: SshKeyType): SshPublicKey {
  const blob = new SshWriter().text(type);
  for (let i = 0; i < publicKeyFieldCount(type); i++) blob.string(reader.string());
  return parsePublicKeyBlob(blob.bytes());
}

/** The certified key's fields, to be written with {@link SshWriter.raw}. */
export function certifiedKeyFields(key: SshPublicKey): Uint8Array {
  const reader = new SshReader(key.blob);
  reader.string();
  return reader.rest();
}

/** Reads the certificate type; code `ssh-unsupported` for anything but 1 and 2. */
export function readCertType(reader: SshReader): CertType {
  const number = reader.uint32();
  if (number === 1) return "user";
  if (number === 2) return "host";
  throw new SallyportError("ssh-unsupported", `The certificate is of type ${number}: neither user nor host.`);
}

/** The number for a certificate type. */
export function certTypeNumber(type: CertType): number {
  return type === "user" ? 1 : 2;
}

/** Reads "valid principals": a string that holds strings, at most {@link MAX_PRINCIPALS}. */
export function readPrincipals(reader: SshReader): string[] {
  const list = new SshReader(reader.string());
  const principals: string[] = [];
  while (list.remaining > 0) {
    if (principals.length === MAX_PRINCIPALS) throw malformed("A certificate has too many principals.");
    principals.push(list.text());
  }
  return principals;
}

/** Writes what {@link readPrincipals} reads, without the outer length. */
export function writePrincipals(principals: readonly string[]): Uint8Array {
  const writer = new SshWriter();
  for (const principal of principals) writer.text(principal);
  return writer.bytes();
}

/** Reads a time in seconds since the epoch; 2^64-1 is {@link FOREVER}, anything else past it is `ssh-malformed`. */
export function readTime(reader: SshReader): number {
  const seconds = reader.uint64();
  if (seconds === U64_MAX) return FOREVER;
  if (seconds > BigInt(FOREVER)) throw malformed("A time in a certificate is out of range.");
  return Number(seconds);
}

/** The wire form of a time that {@link readTime} returned. A negative or fractional one is a `TypeError`. */
export function timeToUint64(seconds: number): bigint {
  if (!Number.isSafeInteger(seconds) || seconds < 0)
    throw new TypeError(`${seconds} is not a time in seconds`);
  return seconds === FOREVER ? U64_MAX : BigInt(seconds);
}
