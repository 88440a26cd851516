import { SshWriter } from "./wire.ts";

/** "SSHKRL\n\0". */
const MAGIC = 0x5353484b524c0a00n;
const FORMAT_VERSION = 1;
const SECTION_CERTIFICATES = 1;
const SECTION_FINGERPRINT_SHA256 = 5;
const SERIAL_LIST = 0x20;
const HASH_LENGTH = 32;

/** What a key revocation list of OpenSSH's takes away. */
export interface KeyRevocationList {
  /** Grows with every change; sshd does not look at it. */
  version: number;
  /** Seconds since the epoch. */
  generatedAt: number;
  /** Blobs of the CA keys whose certificates `serials` are. */
  caKeys: readonly Uint8Array[];
  /** Serial numbers of certificates; 0 stands for none and is left out. */
  serials: readonly bigint[];
  /** Keys by their SHA-256 fingerprints, as in `ssh-keygen -l` (`SHA256:…`), and certificates for them. */
  fingerprints: readonly string[];
}

/**
 * Writes OpenSSH's binary KRL (its PROTOCOL.krl), for sshd's `RevokedKeys`. The same list gives the same bytes, whatever order it came
 * in. A fingerprint that is none of SHA-256's is a `TypeError`.
 */
export function writeKrl(list: KeyRevocationList): Uint8Array {
  const serials = BigUint64Array.from(list.serials.filter((serial) => serial > 0n)).sort();
  const writer = new SshWriter().raw(header(list));
  if (serials.length > 0) {
    const section = serialList(serials);
    for (const caKey of list.caKeys)
      writer.raw(Uint8Array.of(SECTION_CERTIFICATES)).string(certificates(caKey, section));
  }
  const hashes = list.fingerprints.map(hashOf).sort(Buffer.compare);
  if (hashes.length > 0) {
    const section = new SshWriter();
    for (const hash of hashes) section.string(hash);
    writer.raw(Uint8Array.of(SECTION_FINGERPRINT_SHA256)).string(section.bytes());
  }
  return writer.bytes();
}

function header({ version, generatedAt }: KeyRevocationList): Uint8Array {
  const bytes = Buffer.alloc(8 + 4 + 3 * 8 + 2 * 4); // flags, reserved and comment are empty
  bytes.writeBigUInt64BE(MAGIC, 0);
  bytes.writeUInt32BE(FORMAT_VERSION, 8);
  bytes.writeBigUInt64BE(BigInt(version), 12);
  bytes.writeBigUInt64BE(BigInt(Math.floor(generatedAt)), 20);
  return bytes;
}

function certificates(caKey: Uint8Array, section: Uint8Array): Uint8Array {
  return new SshWriter().string(caKey).text("").raw(Uint8Array.of(SERIAL_LIST)).string(section).bytes();
}

function serialList(serials: BigUint64Array): Uint8Array {
  const bytes = Buffer.alloc(serials.length * 8);
  for (const [index, serial] of serials.entries()) bytes.writeBigUInt64BE(serial, index * 8);
  return bytes;
}

function hashOf(fingerprint: string): Buffer {
  const hash = Buffer.from(fingerprint.replace(/^SHA256:/, ""), "base64");
  if (!fingerprint.startsWith("SHA256:") || hash.length !== HASH_LENGTH)
    throw new TypeError("this is no SHA-256 fingerprint of a key");
  return hash;
}
